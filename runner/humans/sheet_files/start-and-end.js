"use strict";
// What comes before the sessions and after them: what to do, consent, and the files to save.
(({ rating }) => {
  const { task, store, element } = rating;
  const paragraphs = (text) => text.split(/\n\s*\n/).map((one) => element("p", {}, one));
  const count = (n, one, many) => (n ? [`${n} ${n === 1 ? one : many}`] : []);

  const openFile = async (event, told, after) => {
    const [file] = event.target.files;
    if (!file) return;
    told.textContent = file.size > 64 * 2 ** 20 ? "This file is too large." : rating.table.fill(await file.text()) || `Opened ${file.name}.`;
    after();
  };
  const files = (after) => {
    const told = element("p", { role: "status", class: "told" });
    const save = (write) => () => { told.textContent = rating.table.who() ? write() : "Please enter your code first."; };
    return element("div", { class: "files" },
      element("p", {}, rating.button("Save ratings", "s", save(rating.table.saveRatings), { id: "save", class: "primary" }), " ",
        rating.button("Save the record", "r", save(rating.table.saveRecord), { id: "record" }), " ",
        element("label", { class: "button" }, "Open a saved file ", element("input", { id: "open", type: "file", accept: ".csv", onchange: (event) => openFile(event, told, after) }))),
      told,
      element("p", { class: "quiet" }, "The ratings are a table; the record also holds choices between pairs, times, breaks and consent. Give both back. Nothing leaves this page by itself."));
  };

  const start = (screen, go) => {
    const agreed = element("input", { type: "checkbox", id: "agreed", onchange: (event) => { store.set("consent", event.target.checked ? new Date().toISOString() : ""); refresh(); } });
    const begin = rating.button("Begin", "Enter", () => enter(), { class: "primary" });
    const refresh = () => { agreed.checked = Boolean(store.get("consent")); begin.disabled = !agreed.checked || !rating.table.who(); };
    const enter = () => { if (!begin.disabled) go(1); };
    const many = [...count(task.training ? 1 : 0, "session to train on", ""), ...count(task.sessions.length, "session", "sessions"), ...count(task.pairs.length, "pair to compare", "pairs to compare")];
    const code = task.rater
      ? element("p", {}, "Your code: ", element("b", {}, task.rater))
      : element("p", {}, element("label", {}, "Your code ", element("input", { id: "rater", autocomplete: "off", maxlength: 80, value: store.get("rater") ?? "", oninput: (event) => { store.set("rater", event.target.value); refresh(); } })));
    screen.replaceChildren(element("div", { class: "plain" },
      element("h2", {}, task.title),
      element("p", { class: "quiet" }, `${many.join(", ")}; ${task.items.length} items each, on the work of the ${task.speaker}.`),
      ...(task.realPeople ? [rating.session.warning()] : []),
      element("section", { "aria-labelledby": "do" }, element("h3", { id: "do" }, "What to do"), ...paragraphs(task.instructions),
        ...task.notes.map((note) => element("p", { class: "note" }, note)),
        element("p", {}, "Everything can be done with keys alone: ", element("kbd", {}, "0"), "–", element("kbd", {}, "6"), " or the item's own scale, ", element("kbd", {}, "j"), " and ", element("kbd", {}, "k"), " to move, ", element("kbd", {}, "q"), " to mark words. ", element("kbd", {}, "?"), " shows them all.")),
      element("section", { "aria-labelledby": "consent" }, element("h3", { id: "consent" }, "Consent"), ...paragraphs(task.consent.text),
        element("p", {}, element("label", {}, agreed, " I have read this and agree (", element("kbd", {}, "a"), ")"))),
      code, element("p", {}, begin),
      task.served ? null : files(() => { const field = document.getElementById("rater"); if (field) field.value = store.get("rater") ?? ""; refresh(); })));
    refresh();
    screen.focus({ preventScroll: true });
    const key = (event) => {
      if (event.key === "Enter" && !event.target.closest("button, input[type=file]")) { enter(); return true; }
      if (event.key === "a") { store.set("consent", agreed.checked ? "" : new Date().toISOString()); refresh(); return true; }
      return fileKey(event);
    };
    return { key, escape: () => screen.focus({ preventScroll: true }) };
  };
  const fileKey = (event) => {
    const pressed = task.served ? null : { s: "save", r: "record" }[event.key];
    if (pressed) document.getElementById(pressed).click();
    return Boolean(pressed);
  };

  const end = (screen, go) => {
    const open = [
      ...task.sessions.map(({ code }) => [code, rating.items.missing(code).length, "item"]),
      ...task.pairs.map(({ code }) => [code, store.get(`choice/${code}`) ? 0 : 1, "choice"]),
    ].filter(([, missing]) => missing);
    const words = open.length ? "These are not complete:" : "Everything is rated. Thank you.";
    screen.replaceChildren(element("div", { class: "plain" },
      element("h2", {}, open.length ? "Not quite done" : "Done"), element("p", {}, words),
      element("ul", {}, ...open.map(([code, missing, what]) => element("li", {},
        rating.button(`${code}: ${missing} ${what}${missing === 1 ? "" : "s"} open`, "", () => go(rating.screens.indexOf(code)))))),
      task.served
        ? element("p", {}, "What you entered is with whoever gave you this page. You may close it, and open it again to change something.")
        : files(() => end(screen, go))));
    screen.focus({ preventScroll: true });
    return { key: fileKey, escape: () => screen.focus({ preventScroll: true }) };
  };
  rating.startAndEnd = { start, end };
})(window);
