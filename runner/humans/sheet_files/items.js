"use strict";
// One item of the rubric: its scale, its anchors, a comment, and the words that were marked for it.
(({ rating }) => {
  const { task, store, element, quotes } = rating;

  const keyOf = (item, option, at) => (item.type === "category" ? String(at + 1) : /^\d$/.test(option.value) ? option.value : "");
  const allOptions = (item) => [
    ...item.options.map((option, at) => ({ ...option, key: keyOf(item, option, at) })),
    ...(item.notApplicable ? [{ value: "n/a", label: "does not apply", means: item.notApplicable, key: "x" }] : []),
  ];

  const choicesOf = (code, item) => {
    const place = `score/${code}/${item.id}`;
    return element("div", { class: item.type === "scale" ? "scale" : "scale worded" }, ...allOptions(item).map((option) =>
      element("label", { class: "choice" },
        element("input", { type: "radio", name: place, value: option.value, onchange: () => store.set(place, option.value) }),
        element("span", {}, option.label, option.key && option.key !== option.label ? " " : "",
          option.key && option.key !== option.label ? element("kbd", {}, option.key) : ""))));
  };
  const written = (code, item) => {
    const place = `score/${code}/${item.id}`, isText = item.type === "text";
    const bounds = isText ? {} : { type: "number", min: item.low, max: item.high ?? undefined, step: "1" };
    const keep = (event) => {
      const { value } = event.target;
      const points = Number(value);
      if (isText || value === "" || (points >= item.low && (item.high === null || points <= item.high))) store.set(place, value.trim());
    };
    return element(isText ? "textarea" : "input", { class: "written", rows: isText ? 2 : undefined, maxlength: 4000, "aria-label": item.title, oninput: keep, ...bounds });
  };

  const anchorsOf = (item) => {
    const told = allOptions(item).filter(({ means }) => means);
    return told.length ? element("dl", { class: "anchors" }, ...told.flatMap(({ label, means }) => [element("dt", {}, label), element("dd", {}, means)])) : null;
  };
  const quoteList = (code, item) => {
    const made = element("ul", { class: "quotes", "aria-label": `Marked for ${item.title}` });
    const draw = () => made.replaceChildren(...quotes.list({ code, item: item.id }).map(({ turn, text }, at) =>
      element("li", {}, element("q", {}, text), ` (turn ${turn}) `,
        rating.button("take away", "", () => { quotes.remove({ code, item: item.id }, at); draw(); }, { class: "small", "aria-label": `Take away the quote of turn ${turn}` }))));
    return { made, draw };
  };

  const clear = (field) => store.set(`score/${field.dataset.code}/${field.dataset.item}`, "");
  const valueOf = (field) => store.get(`score/${field.dataset.code}/${field.dataset.item}`) ?? "";

  // The values that the store has are put into the field: after a reload, an undo, or a file that was opened.
  const refresh = (field) => {
    const value = valueOf(field), place = `score/${field.dataset.code}/${field.dataset.item}`;
    for (const one of field.querySelectorAll("input[type=radio]")) one.checked = one.value === value;
    const free = field.querySelector(".written");
    if (free && document.activeElement !== free) free.value = value;
    const comment = field.querySelector(".comment");
    if (document.activeElement !== comment) comment.value = store.get(`comment/${field.dataset.code}/${field.dataset.item}`) ?? "";
    const open = ["score", "comment", "quotes"].some((kind) => store.isUnsaved(`${kind}/${field.dataset.code}/${field.dataset.item}`));
    field.classList.toggle("unsaved", open);
    field.classList.toggle("missing", value === "" && !field.querySelector("textarea.written"));
    field.querySelector(".marked").textContent = quotes.list({ code: field.dataset.code, item: field.dataset.item }).length || "";
    return place;
  };

  const fieldOf = (code, item) => {
    const marked = quoteList(code, item);
    const field = element("fieldset", { dataset: { code, item: item.id }, tabindex: "-1" },
      element("legend", {}, item.title, element("span", { class: "marked", "aria-hidden": "true" })),
      element("p", { class: "asks" }, item.asks),
      item.options.length ? choicesOf(code, item) : written(code, item),
      element("div", { class: "more" }, anchorsOf(item), marked.made,
        element("label", { class: "comment-label" }, "Comment ",
          element("textarea", { class: "comment", rows: 1, maxlength: 4000, oninput: (event) => store.set(`comment/${code}/${item.id}`, event.target.value) })),
        rating.button("Clear", "⌫", () => { clear(field); refresh(field); }, { class: "small" })),
      element("div", { class: "feedback", hidden: true }));
    field.drawQuotes = marked.draw;
    marked.draw();
    refresh(field);
    return field;
  };

  let typed = "", typedAt = 0, typedIn = null;
  // A digit chooses; on scales beyond 9 a second one within a second goes with it.
  const press = (field, key) => {
    const item = task.items.find(({ id }) => id === field.dataset.item);
    const free = field.querySelector(".written");
    if (free) { if (/^\d$/.test(key)) free.focus(); return false; } // the digit goes into the box
    const options = allOptions(item);
    const two = typedIn === field && Date.now() - typedAt < 1000 ? options.find(({ value }) => value === typed + key) : null;
    const chosen = two ?? options.find((option) => option.key === key);
    if (!chosen) return false;
    [typed, typedAt, typedIn] = [two ? "" : key, Date.now(), field];
    store.set(`score/${field.dataset.code}/${item.id}`, chosen.value);
    refresh(field);
    return true;
  };

  const missing = (code) => task.items.filter((item) => item.type !== "text" && (store.get(`score/${code}/${item.id}`) ?? "") === "");
  rating.items = { fieldOf, refresh, press, clear, missing };
})(window);
