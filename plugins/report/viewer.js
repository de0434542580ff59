// One session: turns beside ratings, evidence highlighted. All text enters the page as text nodes.
(function () {
  const viewer = document.getElementById("viewer");
  const sets = JSON.parse(document.getElementById("rating-sets").textContent);
  const [turnsPane, scoresPane] = viewer.querySelectorAll(".turns, .scores");
  const title = document.getElementById("viewer-title");
  const about = viewer.querySelector(".about");
  const MOST = 20000; // characters of a turn that are shown at first

  function make(tag, className, ...content) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...content);
    return element;
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

  function turn([speaker, said], number, quotes) {
    const found = places(said, quotes);
    const cut = Math.max(MOST, ...found.map(([, end]) => Math.min(end, 4 * MOST)));
    const body = make("div", "said", ...marked(said.slice(0, cut), found.filter(([, end]) => end <= cut)));
    body.dir = "auto";
    const who = make("div", "who", make("b", "", speaker === "t" ? "Therapist" : "Patient"), ` ${number}`);
    const whole = make("div", `turn ${speaker === "t" ? "therapist" : "patient"}`, who, body);
    if (quotes.length > found.length) whole.classList.add("quoted");
    if (said.length > cut) {
      const more = make("button", "", `Show all ${said.length.toLocaleString("en")} characters`);
      more.type = "button";
      more.addEventListener("click", () => body.replaceChildren(...marked(said, found)));
      body.append(" … ", more);
    }
    whole.id = `turn-${number}`;
    return whole;
  }

  function choose(key) {
    turnsPane.classList.toggle("choosing", key !== null);
    scoresPane.querySelectorAll("[aria-pressed]").forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.key === key)));
    let first = null;
    for (const mark of turnsPane.querySelectorAll("mark")) {
      const chosen = JSON.parse(mark.dataset.keys).includes(key);
      mark.classList.toggle("chosen", chosen);
      first ??= chosen ? mark : null;
    }
    first?.scrollIntoView({ block: "center" });
  }

  function item(set, key, [id, points, reason, rationale, quotes, absent]) {
    const [name, low, high] = sets[set]?.items[id] ?? [id, null, null];
    const head = make("button", "", make("span", "title", name));
    head.type = "button";
    head.dataset.key = key;
    head.setAttribute("aria-pressed", "false");
    const worth = make("span", "points", points === null ? "–" : String(points));
    if (points !== null && high !== null) worth.append(make("small", "", ` / ${high}`));
    head.append(worth);
    if (points !== null && low !== null && high !== null && high > low) {
      const fill = document.createElement("i");
      fill.style.width = `${(100 * (points - low)) / (high - low)}%`;
      head.append(make("span", "bar", fill));
    }
    head.addEventListener("click", () => choose(head.getAttribute("aria-pressed") === "true" ? null : key));
    const whole = make("div", "item", head);
    const said = points === null ? `Not scored: ${reason}` : absent ? "Does not occur in the session." : "";
    if (said) whole.append(make("p", "", said));
    if (rationale) { const why = make("p", "", rationale); why.dir = "auto"; whole.append(why); }
    for (const [number, text] of quotes) {
      const quote = make("q", "", text, make("small", "", ` turn ${number}`));
      quote.addEventListener("click", () => { choose(key); document.getElementById(`turn-${number}`)?.scrollIntoView({ block: "center" }); });
      whole.append(quote);
    }
    return whole;
  }

  function ratings(session, quotesOf) {
    const parts = [];
    session.ratings.forEach((rating, order) => {
      const info = sets[rating.set];
      const repeat = session.ratings.some((one) => one.rater === rating.rater && one.set === rating.set && one.repeat > 1);
      parts.push(make("h3", "", `${info?.title ?? rating.set} `));
      parts.push(make("p", "caveat", `Rated by ${rating.rater}${repeat ? `, repeat ${rating.repeat}` : ""}; ${info?.note ?? ""}.`));
      for (const score of rating.scores) {
        const key = `${order}.${score[0]}`;
        for (const [number, text] of score[4]) quotesOf.set(number, [...(quotesOf.get(number) ?? []), { text, key }]);
        parts.push(item(rating.set, key, score));
      }
    });
    return parts.length ? parts : [make("p", "caveat", "This session was not rated.")];
  }

  function fill(id, session) {
    const quotesOf = new Map();
    title.textContent = id;
    const listed = sessionList.byId.get(id);
    const heads = [...document.querySelectorAll("#session-list thead th")].map((head) => head.textContent);
    about.textContent = listed.cells.slice(1).map((cell, at) => (cell ? `${heads[at + 1]}: ${cell}` : "")).filter(Boolean).join(" · ");
    scoresPane.replaceChildren(...ratings(session, quotesOf));
    if (session.flags.length) scoresPane.prepend(make("p", "caveat", `Flags: ${session.flags.join("; ")}`));
    const shown = session.turns?.map((one, at) => turn(one, at + 1, quotesOf.get(at + 1) ?? []));
    turnsPane.replaceChildren(...(shown ?? [make("p", "caveat", "The words of this session are not in this report.")]));
    turnsPane.classList.remove("choosing");
    turnsPane.scrollTop = scoresPane.scrollTop = viewer.querySelector(".panes").scrollTop = 0;
  }

  const wantedId = () => (location.hash.startsWith("#session=") ? decodeURIComponent(location.hash.slice(9)) : null);

  async function follow() {
    const id = wantedId();
    if (id === null) { if (viewer.open) viewer.close(); return; }
    try {
      const session = await transcripts.session(id);
      if (wantedId() !== id || !session) return;
      fill(id, session);
    } catch (error) {
      title.textContent = id;
      turnsPane.replaceChildren(make("p", "caveat", String(error.message ?? error)));
      scoresPane.replaceChildren();
    }
    sessionList.mark(id);
    if (!viewer.open) { viewer.showModal(); title.focus(); }
  }

  function move(step) {
    const next = sessionList.neighbour(step);
    if (!next) return;
    if (viewer.open) history.replaceState(null, "", next.row.cells[0].querySelector("a").hash);
    sessionList.mark(next.id);
    if (viewer.open) follow(); else next.row.scrollIntoView({ block: "nearest" });
  }

  viewer.addEventListener("close", () => {
    if (wantedId() !== null) history.replaceState(null, "", "#sessions");
    sessionList.current()?.row.querySelector("a").focus({ preventScroll: true });
  });
  viewer.addEventListener("click", (event) => {
    if (event.target === viewer || event.target.closest("[data-close]")) viewer.close();
    const step = event.target.closest("[data-move]")?.dataset.move;
    if (step) move(Number(step));
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) {
      if (event.key === "Escape" && event.target === sessionList.search) event.target.blur();
      return;
    }
    const step = { j: 1, k: -1, ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step && (viewer.open || event.key.length === 1)) { event.preventDefault(); move(step); }
    if (event.key === "/") { event.preventDefault(); if (viewer.open) viewer.close(); sessionList.search.focus(); sessionList.search.select(); }
    if (event.key === "Enter" && !viewer.open && event.target === document.body && sessionList.current()) {
      location.hash = sessionList.current().row.cells[0].querySelector("a").hash;
    }
  });
  addEventListener("hashchange", follow);
  follow();
})();
