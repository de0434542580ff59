"use strict";
// The screen of one session: transcript and items beside each other, one item at work at a time.
(({ rating }) => {
  const { task, store, element, quotes, items } = rating;

  const warning = () => (task.realPeople
    ? element("p", { class: "warning" }, element("b", {}, "Words of real people."), " Do not copy them or pass them on. Names are masked where they were found; some may be left.")
    : null);
  const transcript = (title, turns) => element("section", { class: "talk", tabindex: "0", "aria-label": title },
    element("ol", {}, ...turns.map(([speaker, text], at) =>
      element("li", { class: speaker }, element("b", {}, speaker), quotes.line(text, at + 1)))));

  const open = (screen, { code, turns }, title) => {
    let current = 0;
    const talk = transcript(`Transcript, ${title}`, turns);
    const fields = task.items.map((item) => items.fieldOf(code, item));
    const here = () => ({ code, item: task.items[current].id });
    const mark = rating.button("", "Enter", () => markSelected(), { class: "mark", hidden: true });
    const hint = element("p", { class: "hint", hidden: true }, "↓ ↑ move by a sentence, Shift with them takes more, Enter marks, Esc leaves.");
    const form = element("form", { class: "items", "aria-label": `Items, ${title}`, onsubmit: (event) => event.preventDefault() }, ...fields);
    const left = element("div", { class: "left" }, warning(), talk, mark, hint);
    screen.replaceChildren(element("div", { class: "both" }, left, form));

    const showQuotes = () => { fields[current].drawQuotes(); items.refresh(fields[current]); quotes.show(talk, quotes.list(here())); };
    const choose = (to, focus = true) => {
      current = Math.max(0, Math.min(fields.length - 1, to));
      fields.forEach((field, at) => {
        field.classList.toggle("current", at === current);
        if (at === current) field.setAttribute("aria-current", "true");
        else field.removeAttribute("aria-current");
      });
      if (focus && !fields[current].contains(document.activeElement)) fields[current].focus({ preventScroll: true });
      fields[current].scrollIntoView({ block: "nearest" });
      showQuotes();
    };
    const markSelected = () => {
      const range = quotes.selected(talk);
      if (!range) return false;
      quotes.add(here(), quotes.within(talk, range));
      document.getSelection().removeAllRanges();
      showQuotes();
      return true;
    };
    const watch = () => {
      const range = quotes.selected(talk);
      mark.hidden = !range || quotes.cursor() !== null;
      if (range) mark.firstChild.textContent = `Mark for “${task.items[current].title}” `;
    };
    form.addEventListener("focusin", (event) => {
      const at = fields.indexOf(event.target.closest("fieldset"));
      if (at >= 0 && at !== current) choose(at, false);
    });
    const leave = () => { quotes.leave(talk); hint.hidden = true; choose(current); };

    const quoting = (event) => {
      const step = { ArrowDown: 1, j: 1, J: 1, ArrowUp: -1, k: -1, K: -1 }[event.key];
      if (step) quotes.step(talk, step, event.shiftKey);
      else if (event.key === "Enter") { quotes.take(talk, here()); leave(); }
      else if (event.key === "Escape" || event.key === "q") leave();
      else return false;
      return true;
    };
    const scroll = (share) => talk.scrollBy({ top: share * talk.clientHeight });
    const key = (event) => {
      if (quotes.cursor()) return quoting(event);
      const onControl = event.target.closest("button, input, summary");
      switch (event.key) {
        case "ArrowDown": case "j": choose(current + 1); return true;
        case "ArrowUp": case "k": choose(current - 1); return true;
        case "Backspace": case "Delete": items.clear(fields[current]); items.refresh(fields[current]); return true;
        case "c": fields[current].querySelector(".comment").focus(); return true;
        case "q": quotes.begin(talk); hint.hidden = false; return true;
        case "Enter": return markSelected();
        case "PageDown": scroll(0.85); return true;
        case "PageUp": scroll(-0.85); return true;
        case " ": if (onControl) return false; scroll(event.shiftKey ? -0.85 : 0.85); return true;
        default: return items.press(fields[current], event.key);
      }
    };
    store.onChange(() => { if (form.isConnected) fields.forEach(items.refresh); });
    const first = task.items.findIndex((item) => items.missing(code).includes(item));
    choose(first < 0 ? 0 : first);
    return { key, watch, fields, form, escape: () => { fields[current].focus({ preventScroll: true }); choose(current); } };
  };
  rating.session = { open, transcript, warning };

  // The session to train on: the same screen, and what was agreed on once every item has a score.
  const train = (screen) => {
    const { training } = task;
    const opened = open(screen, training, "training session");
    const note = element("p", { class: "note" }, element("b", {}, "Training. "), training.about);
    screen.querySelector(".talk").prepend(note);
    const ask = rating.button("Show what was agreed on", "Enter", () => reveal(), { class: "primary", disabled: true });
    opened.form.append(element("div", { class: "foot" }, ask, element("p", { class: "quiet", role: "status" })));
    const told = opened.form.querySelector(".foot p");
    const scored = () => Object.keys(training.agreed).filter((id) => (store.get(`score/${training.code}/${id}`) ?? "") !== "");
    const reveal = () => {
      if (ask.disabled) return;
      store.set("feedback", new Date().toISOString());
      show();
    };
    const show = () => {
      const shown = Boolean(store.get("feedback"));
      ask.disabled = shown || scored().length < Object.keys(training.agreed).length;
      ask.hidden = shown;
      if (!shown) { told.textContent = "Score every item; then you see what was agreed on, and why."; return; }
      let near = 0, compared = 0;
      for (const field of opened.fields) {
        const agreed = training.agreed[field.dataset.item], own = store.get(`score/${training.code}/${field.dataset.item}`) ?? "";
        field.querySelectorAll("input[type=radio], .written").forEach((one) => { one.disabled = true; });
        if (!agreed) continue;
        const apart = Math.abs(Number(own) - Number(agreed.score));
        compared++;
        if (own === agreed.score || apart <= 1) near++;
        const words = own === agreed.score ? "as agreed" : Number.isFinite(apart) ? `${apart} ${apart === 1 ? "point" : "points"} from it` : "otherwise";
        const box = field.querySelector(".feedback");
        box.hidden = false;
        box.replaceChildren(element("b", {}, `Agreed: ${agreed.score}. Yours: ${own} (${words}). `), agreed.why);
      }
      told.textContent = `${near} of ${compared} items within one point. These scores count nowhere; go on to the first session.`;
    };
    store.onChange(() => { if (ask.isConnected) show(); });
    show();
    const key = (event) => {
      const isScore = /^[\dx]$/.test(event.key) || event.key === "Backspace" || event.key === "Delete";
      if (store.get("feedback") && isScore) return true; // what was entered before the answer stays
      if (event.key === "Enter" && !ask.disabled && !document.getSelection()?.toString()) { reveal(); return true; }
      return opened.key(event);
    };
    return { ...opened, key };
  };
  rating.session.train = train;
})(window);
