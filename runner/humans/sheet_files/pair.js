"use strict";
// The screen of a pair: one person's session twice, and in which of the two the work is better.
(({ rating }) => {
  const { task, store, element } = rating;
  const open = (screen, { code, sides }, title) => {
    const [left, right] = sides;
    const answers = [["1", left.side, "the left one"], ["0", "same", "no difference"], ["2", right.side, "the right one"]];
    const talks = [[left, "left"], [right, "right"]].map(([one, side]) => rating.session.transcript(`${title}, ${side}`, one.turns));
    const place = `choice/${code}`;
    const field = element("fieldset", { class: "preference", tabindex: "-1" },
      element("legend", {}, `In which session is the work of the ${task.speaker} better?`),
      element("div", { class: "scale worded" }, ...answers.map(([key, value, words]) => element("label", { class: "choice" },
        element("input", { type: "radio", name: place, value, onchange: () => store.set(place, value) }),
        element("span", {}, `${words} `, element("kbd", {}, key))))),
      element("label", { class: "comment-label" }, "Why? ",
        element("textarea", { class: "comment", rows: 1, maxlength: 4000, oninput: (event) => store.set(`why/${code}`, event.target.value) })));
    screen.replaceChildren(element("div", { class: "pair" }, rating.session.warning(), element("div", { class: "two" }, ...talks), field));

    const refresh = () => {
      for (const one of field.querySelectorAll("input")) one.checked = one.value === (store.get(place) ?? "");
      const why = field.querySelector("textarea");
      if (document.activeElement !== why) why.value = store.get(`why/${code}`) ?? "";
      field.classList.toggle("unsaved", store.isUnsaved(place) || store.isUnsaved(`why/${code}`));
      field.classList.toggle("missing", !store.get(place));
    };
    let at = 0;
    const scroll = (share, both) => (both ? talks : [talks[at]]).forEach((talk) => talk.scrollBy({ top: share * talk.clientHeight }));
    const key = (event) => {
      const answer = answers.find(([pressed]) => pressed === event.key);
      if (answer) { store.set(place, answer[1]); refresh(); return true; }
      switch (event.key) {
        case "Backspace": case "Delete": store.set(place, ""); refresh(); return true;
        case "c": field.querySelector("textarea").focus(); return true;
        case "ArrowDown": case "j": scroll(0.25, true); return true;
        case "ArrowUp": case "k": scroll(-0.25, true); return true;
        case "PageDown": scroll(0.85); return true;
        case "PageUp": scroll(-0.85); return true;
        case "t": at = 1 - at; talks[at].focus(); return true;
        case " ": if (event.target.closest("button, input")) return false; scroll(event.shiftKey ? -0.85 : 0.85, true); return true;
        default: return false;
      }
    };
    store.onChange(() => { if (field.isConnected) refresh(); });
    refresh();
    field.focus({ preventScroll: true });
    return { key, escape: () => field.focus({ preventScroll: true }) };
  };
  rating.pair = { open };
})(window);
