"use strict";
// Keeps what is entered. Served: each change goes to the server, and counts as saved when the server has it on its disk; until
// then it also lies in this browser. As a file: in this browser alone, on its disk where the browser can say so.
(({ rating }) => {
  const { task } = rating;
  const shelf = `cbtrun-sheet-${task.sheet}${task.rater ? `-${task.rater}` : ""}`;
  const entries = { ...task.entries };
  const places = new Map(); // place -> how many changes of it are not yet saved
  let queue = {}, flying = {}, sending = false, wait = 0, problem = "", refused = "", savedAt = null;
  let database = null;

  const shown = [];
  const tell = () => shown.forEach((show) => show());
  const unsaved = () => places.size;

  const keep = (value) => {
    try { localStorage.setItem(shelf, JSON.stringify(value)); return true; } catch { return false; }
  };
  const kept = () => {
    try {
      const found = JSON.parse(localStorage.getItem(shelf) ?? "{}");
      return found && typeof found === "object" && !Array.isArray(found) ? found : {};
    } catch { return {}; }
  };

  // Chromium and Safari write localStorage to the disk seconds later; a strict transaction says when it is there.
  const openDatabase = () => new Promise((done) => {
    let asked;
    try { asked = indexedDB.open("cbtrun-sheets", 1); } catch { done(null); return; }
    asked.onupgradeneeded = () => asked.result.createObjectStore("entries");
    asked.onsuccess = () => done(asked.result);
    asked.onerror = asked.onblocked = () => done(null);
  });
  const inDatabase = (value) => new Promise((done, fail) => {
    const change = database.transaction("entries", "readwrite", { durability: "strict" });
    change.objectStore("entries").put(value, shelf);
    change.oncomplete = () => done();
    change.onerror = change.onabort = () => fail(new Error("the browser's store refuses it"));
  });
  const fromDatabase = () => new Promise((done) => {
    const asked = database.transaction("entries").objectStore("entries").get(shelf);
    asked.onsuccess = () => done(asked.result ?? {});
    asked.onerror = () => done({});
  });

  const toBrowser = async () => {
    entries.count = (entries.count ?? 0) + 1; // of two copies, the one that was written more often is the later one
    const value = { ...entries };
    const here = keep(value);
    if (database) await inDatabase(value);
    else if (!here) throw new Error("this browser keeps nothing: save the file before you close the page");
  };
  const toServer = async (batch) => {
    const body = JSON.stringify({ changes: Object.entries(batch).map(([place, value]) => ({ place, value })) });
    const answer = await fetch("changes", {
      method: "POST", headers: { "Content-Type": "application/json" }, body, cache: "no-store",
      keepalive: body.length < 15000, // goes on when the page is closed; browsers allow that for 64 KiB, and a sign may take four bytes
      signal: AbortSignal.timeout(10000),
    });
    if ([400, 413].includes(answer.status)) throw Object.assign(new Error(await answer.text()), { refused: true });
    if (!answer.ok) throw new Error(answer.status === 503 ? await answer.text() : "the server does not take it");
  };

  const send = async (batch) => {
    try {
      await (task.served ? toServer(batch) : toBrowser());
    } catch (error) {
      if (!error.refused) throw error;
      const names = Object.keys(batch); // one fault must not hold back the others: what is never taken is left out, and told
      if (names.length > 1) for (const name of names) await send({ [name]: batch[name] });
      else refused = `${names[0]} was not taken: ${error.message}`;
    }
  };
  const why = (error) => (["TypeError", "TimeoutError"].includes(error.name) ? "the server does not answer" : error.message);
  const flush = async () => {
    if (sending || !Object.keys(queue).length) return;
    sending = true;
    clearTimeout(wait);
    flying = queue;
    queue = {};
    const counts = Object.fromEntries(Object.keys(flying).map((place) => [place, places.get(place)]));
    try {
      await send(flying);
      problem = "";
      savedAt = new Date();
      for (const [place, count] of Object.entries(counts)) if (places.get(place) === count) places.delete(place);
    } catch (error) {
      queue = { ...flying, ...queue };
      problem = `Not saved yet: ${why(error)}`;
    }
    flying = {};
    sending = false;
    if (task.served) keep(queue);
    tell();
    if (problem) wait = setTimeout(flush, 1500);
    else flush();
  };

  const set = (place, value) => {
    if (JSON.stringify(entries[place]) === JSON.stringify(value)) return;
    entries[place] = value;
    queue[place] = value;
    places.set(place, (places.get(place) ?? 0) + 1);
    if (task.served) keep({ ...flying, ...queue });
    tell();
    flush();
  };

  const start = async () => {
    if (task.served) {
      const left = kept(); // what a closed page could not send any more
      for (const [place, value] of Object.entries(left)) set(place, value);
      return;
    }
    database = await openDatabase();
    const [first, second] = [kept(), database ? await fromDatabase() : {}];
    Object.assign(entries, (second.count ?? 0) > (first.count ?? 0) ? second : first);
  };

  const words = () => {
    if (problem || refused) return problem || refused;
    if (unsaved()) return "Saving …";
    const where = task.served ? "Saved" : "Kept in this browser";
    return savedAt ? `${where} ${rating.time(savedAt)}` : where;
  };
  window.addEventListener("beforeunload", (event) => { if (unsaved()) event.preventDefault(); });
  document.addEventListener("visibilitychange", () => flush());

  rating.store = {
    start, set, unsaved, words, shelf,
    get: (place) => entries[place],
    all: () => Object.fromEntries(Object.entries(entries).filter(([place]) => place !== "count")),
    isUnsaved: (place) => places.has(place),
    hasProblem: () => problem !== "" || refused !== "",
    onChange: (show) => shown.push(show),
  };
})(window);
