// The list of sessions: filter, search, sort. Rows are the page's own; nothing is built from text.
const sessionList = (function () {
  const section = document.getElementById("sessions");
  const tools = section.querySelector(".tools");
  const body = section.querySelector("tbody");
  const search = tools.querySelector("input");
  const output = tools.querySelector("output");
  const selects = [...tools.querySelectorAll("[data-filter-by]")];
  const all = tools.querySelector("[data-all]");
  const LINK = "#sessions="; // a link of a figure, with its filter
  const show = tools.querySelector("[data-show]");
  const rows = [...body.rows].map((row) => ({
    row,
    id: row.cells[0].textContent,
    chunk: Number(row.dataset.chunk),
    persona: row.dataset.persona ?? "",
    levels: [...row.cells].slice(1, 1 + selects.length).map((cell) => cell.textContent),
    words: row.textContent.toLowerCase(),
    cells: [...row.cells].map((cell) => cell.textContent),
    missing: "missing" in row.dataset,
    flagged: "flagged" in row.dataset,
  }));
  const heads = [...section.querySelectorAll("thead th")].map((head) => head.textContent);
  for (const { row } of rows) for (let at = 1; at < heads.length; at += 1) row.cells[at].dataset.label = heads[at];
  const byId = new Map(rows.map((one) => [one.id, one]));
  let order = rows;
  let found = null; // ids whose words hold the search, once transcripts were read
  let current = null;

  let only = new Map(); // filter -> levels, where a number stands for the sessions of several
  let sorted = ""; // column and direction: `2` or `-2`
  let started = false; // an address that was given is not written over by the first showing
  let picked = null; // rows, where a number stands for sessions that no filter tells from others

  const wanted = (one, text) =>
    (!picked || picked.has(one)) &&
    [...only].every(([at, levels]) => levels.includes(one.cells[1 + at])) &&
    selects.every((select, at) => !select.value || one.cells[1 + at] === select.value) &&
    (!show.value || one[show.value]) &&
    (!text || one.words.includes(text) || (found && found.has(one.id)));

  function apply() {
    const text = search.value.trim().toLowerCase();
    let count = 0;
    for (const one of order) {
      one.shown = wanted(one, text);
      one.row.hidden = !one.shown;
      count += one.shown;
    }
    const levels = [...only.values()].map((one) => `, ${one.join(" or ")}`).join("");
    output.textContent = (count === rows.length ? `${count} sessions` : `${count} of ${rows.length} sessions`) + levels + (picked ? ", behind the number" : "");
    all.hidden = count === rows.length;
    if (started && !/^#(session|pair)=/.test(location.hash) && (count < rows.length || location.hash.startsWith(LINK))) history.replaceState(null, "", hash());
  }

  // The address of what is shown: filters, search and order, so that it can be sent and comes back.
  function hash() {
    const told = {};
    selects.forEach((select, at) => { const levels = only.get(at) ?? select.value; if (levels.length) told[select.dataset.name] = levels; });
    if (picked) told.rows = rows.map((one, at) => (picked.has(one) ? at : -1)).filter((at) => at >= 0).join(",");
    const more = { find: search.value.trim(), show: show.value, order: sorted };
    for (const [name, value] of Object.entries(more)) if (value) told[`=${name}`] = value;
    return Object.keys(told).length ? LINK + encodeURIComponent(JSON.stringify(told)) : "#sessions";
  }

  let asked = 0;
  search.addEventListener("input", searchWords);
  async function searchWords() {
    found = null;
    apply();
    const text = search.value.trim().toLowerCase();
    const mine = ++asked;
    if (text.length < 3) return;
    await new Promise((wait) => setTimeout(wait, 150));
    if (mine !== asked) return;
    const ids = await transcripts.holding(text);
    if (mine !== asked) return;
    found = ids;
    apply();
  }
  const chosen = () => { only = new Map(); picked = null; apply(); };
  for (const select of [...selects, show]) select.addEventListener("change", chosen);
  tools.addEventListener("submit", (event) => event.preventDefault());

  const compare = { text: (a, b) => a.localeCompare(b, "en", { numeric: true }), number: (a, b) => value(a) - value(b) };
  const value = (text) => { const number = parseFloat(text.replace("−", "-")); return Number.isNaN(number) ? -Infinity : number; };
  section.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => sort(column, head.getAttribute("aria-sort") === "ascending"));
  });
  function sort(column, down) {
    const headings = section.querySelectorAll("thead th");
    headings.forEach((one) => one.removeAttribute("aria-sort"));
    headings[column].setAttribute("aria-sort", down ? "descending" : "ascending");
    const by = compare[headings[column].dataset.sort];
    order = [...rows].sort((a, b) => (down ? -1 : 1) * by(a.cells[column], b.cells[column]));
    sorted = `${down ? "-" : ""}${column + 1}`;
    body.append(...order.map((one) => one.row));
    apply();
  }

  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (!row || event.target.closest("a")) return;
    location.hash = row.cells[0].querySelector("a").hash;
  });

  function mark(id) {
    current?.row.classList.remove("here");
    current = byId.get(id) ?? null;
    current?.row.classList.add("here");
  }

  function neighbour(step) {
    const shown = order.filter((one) => one.shown);
    const at = shown.indexOf(current);
    return shown[at < 0 ? 0 : Math.min(shown.length - 1, Math.max(0, at + step))] ?? null;
  }

  // The rows at places such as `0-11,14`.
  function rowsOf(places) {
    const found = new Set();
    for (const run of places.split(",").filter(Boolean)) {
      const [first, last = first] = run.split("-").map(Number);
      for (let at = first; at <= last; at += 1) found.add(rows[at]);
    }
    return found;
  }

  function filter(levels) {
    search.value = levels["=find"] ?? "";
    show.value = levels["=show"] ?? "";
    found = null;
    only = new Map();
    picked = levels.rows === undefined ? null : rowsOf(levels.rows);
    selects.forEach((select, at) => {
      const wanted = levels[select.dataset.name] ?? "";
      const several = Array.isArray(wanted) && wanted.length > 1;
      if (several) only.set(at, wanted);
      select.value = several ? "" : Array.isArray(wanted) ? wanted[0] : wanted;
    });
    const place = Number(levels["=order"] ?? 0);
    if (Number.isInteger(place) && place !== 0 && Math.abs(place) <= heads.length) sort(Math.abs(place) - 1, place < 0);
    else apply();
    if (search.value) searchWords();
  }
  // An address is anybody's: what is no filter of this page shows all.
  function filterOf(address) {
    try {
      const said = JSON.parse(decodeURIComponent(address.slice(LINK.length)));
      return said && typeof said === "object" ? said : {};
    } catch { return {}; }
  }
  document.addEventListener("click", (event) => {
    const href = event.target.closest("a")?.getAttribute("href");
    if (href === "#sessions") {
      const told = event.target.closest("[data-filter]");
      if (told) { filter(JSON.parse(told.dataset.filter)); event.preventDefault(); history.pushState(null, "", hash()); section.scrollIntoView(); }
    } else if (href?.startsWith(LINK)) {
      event.preventDefault();
      filter(filterOf(href));
      history.pushState(null, "", href);
      section.scrollIntoView();
    }
  });
  all.addEventListener("click", () => filter({}));

  tools.hidden = false;
  if (location.hash.startsWith(LINK)) {
    // Words of transcripts are searched once all scripts are there.
    setTimeout(() => { filter(filterOf(location.hash)); section.scrollIntoView(); started = true; });
  } else { apply(); started = true; }
  addEventListener("popstate", () => { if (location.hash.startsWith(LINK)) filter(filterOf(location.hash)); });
  return { hash, rows, byId, mark, neighbour, search, current: () => current };
})();
