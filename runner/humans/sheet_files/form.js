"use strict";
// Keeps what is entered in this browser, saves it as CSV, and reads a saved file back. Sends nothing anywhere.
(() => {
  const sheet = document.body.dataset.sheet;
  const store = `cbtrun-sheet-${sheet}`;
  const fields = [...document.querySelectorAll("fieldset[data-item]")];
  const rater = document.getElementById("rater");
  const columns = ["sheet", "session", "rater", "item", "score", "comment"];

  const inputs = (field) => [...field.querySelectorAll("[name]")].filter((one) => !one.name.endsWith("/comment"));
  const comment = (field) => field.querySelector(".comment input");
  const value = (field) => {
    const all = inputs(field);
    const chosen = all[0].type === "radio" ? all.find((one) => one.checked) : all[0];
    return chosen ? chosen.value.trim() : "";
  };
  const put = (field, score, words) => {
    for (const one of inputs(field)) {
      if (one.type === "radio") one.checked = one.value === score;
      else one.value = score;
    }
    comment(field).value = words;
  };
  const rows = () =>
    fields.map((field) => [sheet, field.dataset.session, rater.value.trim(), field.dataset.item, value(field), comment(field).value]);
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
  const fill = (text) => {
    const [head, ...body] = parse(text.replace(/^\ufeff/, ""));
    if (!head || columns.some((name) => !head.includes(name))) return "This is not a file that this form saved.";
    const at = (row, name) => bare(row[head.indexOf(name)] ?? "");
    if (body.some((row) => at(row, "sheet") !== sheet)) return "This file belongs to another sheet.";
    const byPlace = new Map(fields.map((field) => [`${field.dataset.session}/${field.dataset.item}`, field]));
    for (const row of body) {
      const field = byPlace.get(`${at(row, "session")}/${at(row, "item")}`);
      if (field) put(field, at(row, "score"), at(row, "comment"));
    }
    if (body.length) rater.value = at(body[0], "rater");
    return "";
  };

  const show = (message = "") => {
    const open = new Set();
    let done = 0;
    for (const field of fields) {
      const there = value(field) !== "" || inputs(field)[0].tagName === "TEXTAREA";
      field.classList.toggle("missing", !there);
      if (there) done++;
      else open.add(field.dataset.session);
    }
    for (const link of document.querySelectorAll("nav a")) link.classList.toggle("done", !open.has(link.dataset.code));
    document.getElementById("progress").value = message || `${done} of ${fields.length} items rated`;
  };
  const keep = () => {
    try { localStorage.setItem(store, table()); } catch { /* a browser that keeps nothing: the file is what counts */ }
    show();
  };

  document.addEventListener("input", keep);
  document.addEventListener("change", keep);
  document.addEventListener("click", (event) => {
    if (!event.target.classList.contains("clear")) return;
    const field = event.target.closest("fieldset");
    put(field, "", comment(field).value);
    keep();
  });
  document.getElementById("save").addEventListener("click", () => {
    if (!rater.value.trim()) { rater.focus(); show("Please enter your name or code first."); return; }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
    link.download = `ratings-${rater.value.trim().replace(/[^\w.-]+/g, "-")}-${sheet}.csv`;
    link.click();
    show(`Saved ${link.download}`);
  });
  document.getElementById("open").addEventListener("change", async (event) => {
    const file = event.target.files[0];
    if (file) { const problem = fill(await file.text()); keep(); show(problem); }
  });
  try { const kept = localStorage.getItem(store); if (kept) fill(kept); } catch { /* nothing was kept */ }
  show();
})();
