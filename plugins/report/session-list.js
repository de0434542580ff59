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
  }

  let asked = 0;
  search.addEventListener("input", async () => {
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
  });
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
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      section.querySelectorAll("thead th").forEach((one) => one.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const by = compare[head.dataset.sort];
      order = [...rows].sort((a, b) => (down ? -1 : 1) * by(a.cells[column], b.cells[column]));
      body.append(...order.map((one) => one.row));
    });
  });

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
    search.value = "";
    show.value = "";
    found = null;
    only = new Map();
    picked = levels.rows === undefined ? null : rowsOf(levels.rows);
    selects.forEach((select, at) => {
      const wanted = levels[select.dataset.name] ?? "";
      const several = Array.isArray(wanted) && wanted.length > 1;
      if (several) only.set(at, wanted);
      select.value = several ? "" : Array.isArray(wanted) ? wanted[0] : wanted;
    });
    apply();
  }
  document.addEventListener("click", (event) => {
    const href = event.target.closest("a")?.getAttribute("href");
    if (href === "#sessions") {
      const told = event.target.closest("[data-filter]");
      if (told) filter(JSON.parse(told.dataset.filter));
    } else if (href?.startsWith(LINK)) {
      event.preventDefault();
      filter(JSON.parse(decodeURIComponent(href.slice(LINK.length))));
      location.hash = "sessions";
    }
  });
  all.addEventListener("click", () => filter({}));

  tools.hidden = false;
  if (location.hash.startsWith(LINK)) {
    filter(JSON.parse(decodeURIComponent(location.hash.slice(LINK.length))));
    section.scrollIntoView();
  } else apply();
  return { rows, byId, mark, neighbour, search, current: () => current };
})();
