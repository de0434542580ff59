"use strict";
// Marks words of the transcript as evidence for an item: by selecting them, or sentence by sentence with the keyboard.
(({ rating }) => {
  const { store, element } = rating;
  const most = 20, longest = 2000;
  const place = ({ code, item }) => `quotes/${code}/${item}`;
  const list = (of) => store.get(place(of)) ?? [];
  const lines = (talk) => [...talk.querySelectorAll(".said")];

  // Turn by turn: a quote never runs over two of them. `touched` is a Range of the transcript.
  const within = (talk, touched) => lines(talk).flatMap((line) => {
    if (!touched.intersectsNode(line)) return [];
    const part = document.createRange();
    part.selectNodeContents(line);
    if (line.contains(touched.startContainer)) part.setStart(touched.startContainer, touched.startOffset);
    if (line.contains(touched.endContainer)) part.setEnd(touched.endContainer, touched.endOffset);
    const text = part.toString().trim().slice(0, longest);
    return text ? [{ turn: Number(line.dataset.turn), text }] : [];
  });
  const add = (of, found) => {
    const before = list(of);
    const fresh = found.filter((one) => !before.some((old) => old.turn === one.turn && old.text === one.text));
    if (fresh.length) store.set(place(of), [...before, ...fresh].slice(0, most));
    return fresh.length;
  };
  const remove = (of, at) => store.set(place(of), list(of).filter((_, index) => index !== at));

  const rangeOf = (line, text) => {
    const start = line.textContent.indexOf(text);
    if (start < 0) return null;
    const found = document.createRange();
    let from = 0, begun = false;
    for (const sentence of line.childNodes) {
      const node = sentence.firstChild ?? sentence, size = node.textContent.length;
      if (!begun && start < from + size) { found.setStart(node, start - from); begun = true; }
      if (begun && start + text.length <= from + size) { found.setEnd(node, start + text.length - from); return found; }
      from += size;
    }
    return null;
  };
  const show = (talk, quotes) => {
    if (!globalThis.Highlight) return; // the list under the item says the same
    const ranges = quotes.map(({ turn, text }) => { const line = lines(talk)[turn - 1]; return line ? rangeOf(line, text) : null; });
    CSS.highlights.set("quote", new Highlight(...ranges.filter(Boolean)));
  };

  // The keyboard's way: a cursor that is one sentence, and an anchor it began at.
  let cursor = null;
  const sentences = (talk) => [...talk.querySelectorAll(".sentence")];
  const move = (talk, to, extend) => {
    const all = sentences(talk);
    const at = Math.max(0, Math.min(all.length - 1, to));
    cursor = { at, from: extend && cursor ? cursor.from : at };
    const [low, high] = [Math.min(cursor.at, cursor.from), Math.max(cursor.at, cursor.from)];
    all.forEach((one, index) => one.classList.toggle("under-cursor", index >= low && index <= high));
    all[at]?.focus({ preventScroll: true });
    all[at]?.scrollIntoView({ block: "nearest" });
  };
  const begin = (talk) => {
    const view = talk.getBoundingClientRect();
    const first = sentences(talk).findIndex((one) => one.getBoundingClientRect().bottom > view.top + 8);
    move(talk, Math.max(0, first), false);
    talk.classList.add("quoting");
  };
  const leave = (talk) => {
    cursor = null;
    talk.classList.remove("quoting");
    sentences(talk).forEach((one) => one.classList.remove("under-cursor"));
  };
  const take = (talk, of) => {
    const all = sentences(talk).filter((one) => one.classList.contains("under-cursor"));
    const range = document.createRange();
    range.setStartBefore(all[0]);
    range.setEndAfter(all.at(-1));
    return add(of, within(talk, range));
  };
  const selected = (talk) => {
    const selection = document.getSelection();
    if (!selection || selection.isCollapsed || !selection.rangeCount) return null;
    const range = selection.getRangeAt(0);
    return range.toString().trim() && range.intersectsNode(talk) && talk.contains(range.commonAncestorContainer) ? range : null;
  };

  const splitter = globalThis.Intl?.Segmenter ? new Intl.Segmenter(undefined, { granularity: "sentence" }) : null;
  const line = (text, turn) => element("span", { class: "said", dataset: { turn } },
    ...(splitter ? [...splitter.segment(text)].map(({ segment }) => segment) : [text])
      .map((one) => element("span", { class: "sentence", tabindex: "-1" }, one)));

  rating.quotes = {
    list, add, remove, show, within, selected, line, begin, leave, take,
    cursor: () => cursor, step: (talk, by, extend) => move(talk, cursor.at + by, extend),
  };
})(window);
