"use strict";
// One screen at a time: moving between them, keys, the clock and breaks, and what the bar says.
(({ rating }) => {
  const { task, store, element } = rating;
  const screen = document.getElementById("screen"), byId = (id) => document.getElementById(id);
  const idleSeconds = 60, tellSeconds = 15;
  rating.screens = ["start", ...(task.training ? ["training"] : []), ...task.sessions.map(({ code }) => code), ...task.pairs.map(({ code }) => code), "end"];
  let at = 0, opened = null, lastSign = Date.now(), spent = 0;

  const titleOf = (name) => {
    const session = task.sessions.findIndex(({ code }) => code === name), pair = task.pairs.findIndex(({ code }) => code === name);
    if (session >= 0) return `Session ${session + 1} of ${task.sessions.length} (${name})`;
    if (pair >= 0) return `Pair ${pair + 1} of ${task.pairs.length} (${name})`;
    return { start: "Before you begin", training: "Training session", end: "End" }[name];
  };
  const isDone = (name) => {
    if (task.sessions.some(({ code }) => code === name)) return !rating.items.missing(name).length;
    if (task.pairs.some(({ code }) => code === name)) return Boolean(store.get(`choice/${name}`));
    return { start: Boolean(store.get("consent")), training: Boolean(store.get("feedback")) }[name] ?? false;
  };

  const tell = () => {
    const name = rating.screens[at];
    byId("where").textContent = titleOf(name);
    byId("saved").textContent = store.words();
    byId("saved").classList.toggle("problem", store.hasProblem());
    byId("saved").dataset.unsaved = store.unsaved();
    const scored = (code) => task.items.length - rating.items.missing(code).length;
    const done = task.sessions.reduce((sum, { code }) => sum + scored(code), 0);
    byId("progress").textContent = `${done} of ${task.sessions.length * task.items.length} items rated`;
    [...byId("jump").options].forEach((option, index) => { option.textContent = `${isDone(rating.screens[index]) ? "✓ " : ""}${titleOf(rating.screens[index])}`; });
    byId("previous").disabled = at === 0;
    byId("next").disabled = at === rating.screens.length - 1 || !mayGo(at + 1);
  };
  const mayGo = (to) => to === 0 || Boolean(store.get("consent") && rating.table.who());

  // Time on a screen counts while it is seen and used: not on a break, not in another window, not after a minute without a sign.
  const keepTime = () => {
    if (!spent) return;
    const place = `seconds/${rating.screens[at]}`;
    store.set(place, (store.get(place) ?? 0) + spent);
    spent = 0;
  };
  const resting = () => byId("resting").open;
  setInterval(() => {
    if (document.visibilityState !== "visible" || resting() || Date.now() - lastSign > idleSeconds * 1000) return;
    spent++;
    if (spent >= tellSeconds) keepTime();
  }, 1000);
  for (const sign of ["keydown", "pointerdown", "pointermove", "wheel", "scroll"]) document.addEventListener(sign, () => { lastSign = Date.now(); }, { capture: true, passive: true });
  document.addEventListener("visibilitychange", keepTime);
  window.addEventListener("pagehide", keepTime);

  const go = (to) => {
    if (to < 0 || to >= rating.screens.length) return;
    keepTime();
    at = mayGo(to) ? to : 0;
    const name = rating.screens[at];
    const session = task.sessions.find(({ code }) => code === name), pair = task.pairs.find(({ code }) => code === name);
    if (globalThis.Highlight) CSS.highlights.clear();
    if (session) opened = rating.session.open(screen, session, titleOf(name));
    else if (pair) opened = rating.pair.open(screen, pair, titleOf(name));
    else if (name === "training") opened = rating.session.train(screen);
    else opened = rating.startAndEnd[name](screen, go);
    byId("jump").value = name;
    document.title = `${titleOf(name)}: ${task.title}`;
    if (store.get("screen") !== name && (name !== "start" || store.get("screen"))) store.set("screen", name);
    tell();
  };

  let brokeAt = null;
  const rest = () => {
    keepTime();
    brokeAt = new Date();
    store.set("breaks", [...(store.get("breaks") ?? []), [brokeAt.toISOString(), 0]].slice(-1000));
    byId("since").textContent = rating.time(brokeAt);
    byId("resting").showModal();
  };
  byId("resting").addEventListener("close", () => {
    const seconds = Math.round((Date.now() - brokeAt.getTime()) / 1000);
    store.set("breaks", [...store.get("breaks").slice(0, -1), [brokeAt.toISOString(), seconds]]);
    opened.escape();
  });

  const list = [
    ["0 … 6", "the score of the item at work, on its own scale; 1, 2 … choose a word"], ["x", "does not apply, where an item may"],
    ["j ↓ / k ↑", "next / previous item"], ["→ / ←", "next / previous session"], ["Space, PgDn / PgUp", "move through the transcript"],
    ["q", "mark words sentence by sentence; or select them and press Enter"], ["c", "comment; Esc leaves it"], ["Backspace", "clear the score"],
    ["1, 0, 2", "of a pair: the left one, no difference, the right one"], ["b", "a break"], ["?", "these keys"],
  ];
  byId("key-list").append(...list.flatMap(([key, words]) => [element("dt", {}, element("kbd", {}, key)), element("dd", {}, words)]));
  let single = true;
  byId("single-keys").checked = true;
  byId("single-keys").addEventListener("change", (event) => { single = event.target.checked; });
  byId("all-keys").addEventListener("close", () => opened.escape());

  const buttons = { rest, keys: () => byId("all-keys").showModal(), "go-on": () => byId("resting").close(), "close-keys": () => byId("all-keys").close(), previous: () => go(at - 1), next: () => go(at + 1) };
  for (const [id, act] of Object.entries(buttons)) byId(id).addEventListener("click", act);
  byId("jump").append(...rating.screens.map((name) => element("option", { value: name }, titleOf(name))));
  byId("jump").addEventListener("change", (event) => go(rating.screens.indexOf(event.target.value)));

  const isTyping = (target) => target.matches("textarea, select, input:not([type=radio], [type=checkbox], [type=file])");
  const pressed = (event) => {
    if (event.key === "Escape" && isTyping(event.target)) { opened.escape(); return true; }
    if (isTyping(event.target)) return false;
    if (event.key.length === 1 && event.key !== " " && !single) return false;
    if (event.target.matches("button, summary") && (event.key === "Enter" || event.key === " ")) return false;
    const free = !event.target.matches("input[type=radio]"); // on a radio, left and right choose
    if (opened.key(event)) return true;
    if (event.key === "ArrowRight" && free) go(at + 1);
    else if (event.key === "ArrowLeft" && free) go(at - 1);
    else if (event.key === "b") rest();
    else if (event.key === "?") byId("all-keys").showModal();
    else return false;
    return true;
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || !opened) return;
    if (document.querySelector("dialog[open]")) return; // Esc, Tab, Enter and Space do there what they do everywhere
    if (pressed(event)) event.preventDefault();
  });
  document.addEventListener("selectionchange", () => opened?.watch?.());

  store.onChange(tell);
  store.start().then(() => {
    const name = store.get("screen"), before = rating.screens.indexOf(name ?? "start");
    go(Math.max(0, before));
    document.body.dataset.ready = "yes";
  });
})(window);
