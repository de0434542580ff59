"use strict";
// The table that `cbtrun agree` reads, a row for each item: written, and read back to go on.
(({ rating }) => {
  const { task, store } = rating;
  const columns = ["sheet", "session", "rater", "item", "score", "comment", "evidence", "position", "seconds"];
  const who = () => (task.rater || (store.get("rater") ?? "")).trim();
  const evidence = (code, item) => {
    const quotes = store.get(`quotes/${code}/${item}`) ?? [];
    return quotes.length ? JSON.stringify(quotes) : "";
  };
  const rows = () => task.sessions.flatMap(({ code }, at) => task.items.map(({ id }) => [
    task.sheet, code, who(), id, store.get(`score/${code}/${id}`) ?? "", store.get(`comment/${code}/${id}`) ?? "",
    evidence(code, id), String(at + 1), String(Math.round(store.get(`seconds/${code}`) ?? 0)),
  ]));

  // A spreadsheet computes what begins like a formula: an apostrophe makes it text. What was opened again is without it.
  const formula = /^'*[=@+\-\t\r\n\uff1d\uff20\uff0b\uff0d]/;
  const number = /^[-+]?[\d.,]+$/;
  const asText = (cell) => (formula.test(cell) && !number.test(cell) ? `'${cell}` : cell);
  const bare = (cell) => (cell.startsWith("'") && asText(cell.slice(1)) === cell ? cell.slice(1) : cell);
  const quoted = (said) => {
    const cell = asText(said);
    return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
  };
  const table = () => [columns, ...rows()].map((row) => row.map(quoted).join(",")).join("\n") + "\n";

  const parse = (text) => {
    const found = [[]];
    let cell = "", inside = false;
    for (let at = 0; at < text.length; at++) {
      const sign = text[at];
      if (inside) {
        if (sign !== '"') cell += sign;
        else if (text[at + 1] === '"') { cell += sign; at++; }
        else inside = false;
      } else if (sign === '"') inside = true;
      else if (sign === ",") { found.at(-1).push(cell); cell = ""; }
      else if (sign === "\n") { found.at(-1).push(cell); cell = ""; found.push([]); }
      else if (sign !== "\r") cell += sign;
    }
    if (cell || found.at(-1).length) found.at(-1).push(cell);
    return found.filter((row) => row.length > 1);
  };
  const quotesOf = (cell) => {
    try {
      const found = JSON.parse(cell || "[]");
      return Array.isArray(found) ? found.filter((one) => Number.isInteger(one?.turn) && typeof one.text === "string") : [];
    } catch { return []; }
  };
  const fill = (text) => {
    const [head, ...body] = parse(text.replace(/^\ufeff/, ""));
    if (!head || ["sheet", "session", "rater", "item", "score", "comment"].some((name) => !head.includes(name))) return "This is not a file that this page saved.";
    const at = (row, name) => bare(row[head.indexOf(name)] ?? "");
    if (body.some((row) => at(row, "sheet") !== task.sheet)) return "This file belongs to another sheet.";
    const codes = new Set(task.sessions.map(({ code }) => code)), items = new Set(task.items.map(({ id }) => id));
    for (const row of body) {
      const [code, item] = [at(row, "session"), at(row, "item")];
      if (!codes.has(code) || !items.has(item)) continue;
      store.set(`score/${code}/${item}`, at(row, "score"));
      store.set(`comment/${code}/${item}`, at(row, "comment"));
      if (head.includes("evidence")) store.set(`quotes/${code}/${item}`, quotesOf(at(row, "evidence")));
      if (head.includes("seconds")) store.set(`seconds/${code}`, Math.max(Number(at(row, "seconds")) || 0, store.get(`seconds/${code}`) ?? 0));
    }
    if (body.length && !task.rater) store.set("rater", at(body[0], "rater"));
    return "";
  };

  const download = (name, text, type) => {
    const address = URL.createObjectURL(new Blob([text], { type }));
    rating.element("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
    return `Saved ${name}`;
  };
  const stem = () => `${who().replace(/[^\w.-]+/g, "-")}-${task.sheet}`;
  const record = () => {
    const entries = store.all();
    delete entries.rater;
    return JSON.stringify({
      "cbtrun-rating": 1, sheet: task.sheet, rater: who(), order: task.sessions.map(({ code }) => code),
      left: Object.fromEntries(task.pairs.map(({ code, sides }) => [code, sides[0].side])),
      consent: task.consent.text, consent_digest: task.consent.digest, entries,
    }, null, 1);
  };
  rating.table = {
    who, fill,
    saveRatings: () => download(`ratings-${stem()}.csv`, table(), "text/csv"),
    saveRecord: () => download(`record-${stem()}.json`, record(), "application/json"),
  };
})(window);
