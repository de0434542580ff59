// Turns and scores as elements. All text enters the page as text nodes.
const transcriptParts = (function () {
  const MOST = 20000; // characters of a turn that are shown at first

  function make(tag, className, ...content) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...content);
    return element;
  }

  function button(className, said, act) {
    const one = make("button", className, said);
    one.type = "button";
    one.addEventListener("click", act);
    return one;
  }

  // Where quotes stand in a turn: [start, end, key], in order, overlaps kept by key.
  function places(said, quotes) {
    return quotes.flatMap(({ text, key }) => {
      const at = text ? said.indexOf(text) : -1;
      return at < 0 ? [] : [[at, at + text.length, key]];
    });
  }

  function marked(said, found) {
    const cuts = [...new Set([0, said.length, ...found.flatMap(([start, end]) => [start, end])])].sort((a, b) => a - b);
    return cuts.slice(1).map((end, at) => {
      const start = cuts[at];
      const keys = found.filter(([from, to]) => from <= start && end <= to).map(([, , key]) => key);
      const text = said.slice(start, end);
      if (!keys.length) return text;
      const mark = make("mark", "", text);
      mark.dataset.keys = JSON.stringify(keys);
      return mark;
    });
  }

  function turn([speaker, said], number, quotes, id = `turn-${number}`) {
    const found = places(said, quotes);
    const cut = Math.max(MOST, ...found.map(([, end]) => Math.min(end, 4 * MOST)));
    const body = make("div", "said", ...marked(said.slice(0, cut), found.filter(([, end]) => end <= cut)));
    body.dir = "auto";
    const who = make("div", "who", make("b", "", speaker === "t" ? "Therapist" : "Patient"), ` ${number}`);
    const whole = make("div", `turn ${speaker === "t" ? "therapist" : "patient"}`, who, body);
    if (quotes.length > found.length) whole.classList.add("quoted");
    if (said.length > cut) {
      body.append(" … ", button("", `Show all ${said.length.toLocaleString("en")} characters`, () => body.replaceChildren(...marked(said, found))));
    }
    whole.id = id;
    return whole;
  }

  // Lights the evidence of one item in a transcript; null lights all again.
  function light(words, key) {
    words.classList.toggle("choosing", key !== null);
    let first = null;
    for (const mark of words.querySelectorAll("mark")) {
      const chosen = JSON.parse(mark.dataset.keys).includes(key);
      mark.classList.toggle("chosen", chosen);
      first ??= chosen ? mark : null;
    }
    first?.scrollIntoView({ block: "center" });
  }

  function bar(points, low, high) {
    const fill = document.createElement("i");
    fill.style.width = `${(100 * (points - low)) / (high - low)}%`;
    return make("span", "bar", fill);
  }

  // Turn number -> its quotes, each with the key of its item.
  function quotesByTurn(ratings, keyOf) {
    const found = new Map();
    for (const [order, rating] of ratings.entries()) {
      for (const score of rating.scores) {
        for (const [number, text] of score[4]) found.set(number, [...(found.get(number) ?? []), { text, key: keyOf(order, rating, score[0]) }]);
      }
    }
    return found;
  }

  function save(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  return { make, button, save, turn, light, bar, quotesByTurn };
})();
