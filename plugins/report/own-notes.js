// The reader's own note and "disagree" beside each item: kept in this browser, saved in the form that `cbtrun agree` reads.
const ownNotes = (function () {
  const { make, button, save } = transcriptParts;
  const place = `cbtrun-notes ${JSON.parse(document.getElementById("viewer-facts").textContent).study}`;
  const kept = { name: "", notes: new Map() }; // "set\nsession\nitem" -> {disagree, score, note}
  let lasting = true;
  let bar = null;

  try {
    const said = JSON.parse(localStorage.getItem(place) ?? "{}");
    kept.name = String(said.name ?? "");
    for (const [key, one] of said.notes ?? []) kept.notes.set(String(key), { disagree: Boolean(one.disagree), score: String(one.score ?? ""), note: String(one.note ?? "") });
  } catch { lasting = false; } // a browser that keeps nothing for this page

  function keep() {
    try { localStorage.setItem(place, JSON.stringify({ name: kept.name, notes: [...kept.notes] })); } catch { lasting = false; }
    tell();
  }

  function labelled(said, control) { return make("label", "", `${said} `, control); }

  function field(type, value, change) {
    const one = document.createElement("input");
    one.type = type;
    if (type === "checkbox") one.checked = value; else one.value = value;
    one.addEventListener("change", () => { change(type === "checkbox" ? one.checked : one.value.trim()); keep(); });
    return one;
  }

  // What opens under an item. title: of the item, for screen readers.
  function form(set, session, [id, title, low, high]) {
    const key = [set, session, id].join("\n");
    const mine = kept.notes.get(key) ?? { disagree: false, score: "", note: "" };
    const put = (name) => (value) => {
      mine[name] = value;
      if (mine.disagree || mine.score !== "" || mine.note) kept.notes.set(key, mine); else kept.notes.delete(key);
      head.textContent = said();
    };
    const said = () => (kept.notes.has(key) ? `my view: ${[mine.disagree ? "disagree" : "", mine.score, mine.note && "note"].filter(Boolean).join(", ")}` : "my view");
    const head = make("summary", "", said());
    head.setAttribute("aria-label", `My view of ${title}`);
    const score = field("number", mine.score, put("score"));
    score.step = "any";
    if (low !== null) score.min = low;
    if (high !== null) score.max = high;
    return make("details", "mine", head, labelled("I disagree", field("checkbox", mine.disagree, put("disagree"))),
      labelled(high === null ? "my score" : `my score (${low} to ${high})`, score), labelled("note", field("text", mine.note, put("note"))));
  }

  const cell = (text) => { const plain = /^[=+@\-\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text; return /[",\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain; };

  function table(set) {
    const rows = [...kept.notes].map(([key, one]) => [key.split("\n"), one]).filter(([[of]]) => of === set)
      .map(([[, session, item], one]) => [session, kept.name || "reader", item, one.score, [one.disagree ? "disagree" : "", one.note].filter(Boolean).join(": ")]);
    return [["session", "rater", "item", "score", "comment"], ...rows].map((row) => row.map(cell).join(",")).join("\r\n");
  }

  function tell() {
    if (!bar) return;
    const sets = [...new Set([...kept.notes.keys()].map((key) => key.split("\n")[0]))];
    const many = `${kept.notes.size} view${kept.notes.size === 1 ? "" : "s"} of yours, ${lasting ? "kept in this browser" : "not kept when this page closes"}`;
    bar.querySelector("output").textContent = kept.notes.size ? many : "";
    bar.hidden = !kept.notes.size;
    bar.querySelectorAll("button").forEach((one) => one.remove());
    for (const set of sets) {
      const one = button("", sets.length > 1 ? `Save for agree (${set})` : "Save for agree", () => save(new Blob(["\ufeff", table(set), "\r\n"], { type: "text/csv" }), `${set}-views.csv`));
      one.title = `cbtrun agree RUN ${set}-views.csv${sets.length > 1 ? ` --ratings ${set}` : ""}`;
      bar.append(one);
    }
  }

  // What stands above the scores of a session.
  function summary() {
    bar = make("p", "mine-bar", document.createElement("output"), labelled("your name or code", field("text", kept.name, (name) => { kept.name = name; })));
    tell();
    return bar;
  }

  return { form, summary };
})();
