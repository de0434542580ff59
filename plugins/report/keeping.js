// Every figure and table can be copied or saved. Files are made of what the page shows; nothing leaves it.
(function () {
  const { button, make, save } = transcriptParts;

  // A drawing with its colours and letters as they look now, for a file of its own.
  function standing(figure) {
    const drawn = [...figure.querySelectorAll(".plate svg")].find((one) => one.checkVisibility?.() ?? true);
    const copy = drawn.cloneNode(true);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const [, , width, height] = drawn.getAttribute("viewBox").split(" ").map(Number);
    copy.setAttribute("width", width);
    copy.setAttribute("height", height);
    copy.querySelectorAll("a").forEach((one) => one.replaceWith(...one.childNodes));
    const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [name, value] of Object.entries({ width, height, fill: colour("--paper") })) paper.setAttribute(name, value);
    copy.prepend(paper);
    copy.setAttribute("xmlns:xlink", "http://www.w3.org/1999/xlink");
    const text = new XMLSerializer().serializeToString(copy).replace(/var\((--[a-z0-9-]+)\)/g, (_, name) => (name === "--sans" ? "sans-serif" : colour(name)));
    return { text, width, height };
  }

  async function picture(figure) {
    const { text, width, height } = standing(figure);
    const image = new Image();
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = 3 * width;
    canvas.height = 3 * height;
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return new Promise((done) => canvas.toBlob(done, "image/png"));
  }

  // A cell that a spreadsheet would run is kept as text.
  const cell = (text) => { const plain = /^[=+@\t\r]|^-(?![\d.])/.test(text) ? `'${text}` : text; return /[",\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain; };

  function rowsOf(table) {
    const heads = [...table.tHead.rows[0].cells].map((one) => one.textContent.trim());
    const rows = [];
    let block = "";
    for (const row of [...table.tBodies].flatMap((one) => [...one.rows])) {
      const cells = [...row.cells].map((one) => one.textContent.trim().replace(/\s+/g, " "));
      if (row.hidden || row.classList.contains("detail")) continue;
      if (row.classList.contains("block")) block = cells[0];
      else rows.push(table.querySelector("tr.block") ? [block, ...cells] : cells);
    }
    return [table.querySelector("tr.block") ? ["", ...heads] : heads, ...rows];
  }

  async function copy(text, on) {
    const said = on.textContent;
    try { await navigator.clipboard.writeText(text); on.textContent = "Copied"; } catch {
      const area = make("textarea", "unseen", text);
      document.body.append(area);
      area.select();
      on.textContent = document.execCommand("copy") ? "Copied" : "Not copied";
      area.remove();
    }
    setTimeout(() => { on.textContent = said; }, 2000);
  }

  function tools(label, ...buttons) {
    const bar = make("p", "keep", ...buttons);
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", `Keep ${label}`);
    return bar;
  }

  for (const figure of document.querySelectorAll("figure[id]")) {
    const name = figure.id.replace(/^figure-/, "");
    figure.append(tools(figure.querySelector("h3").textContent,
      button("", "SVG", () => save(new Blob([standing(figure).text], { type: "image/svg+xml" }), `${name}.svg`)),
      button("", "PNG", async () => save(await picture(figure), `${name}.png`))));
  }
  for (const table of document.querySelectorAll("main table[id]")) {
    const name = table.id.replace(/^table-/, "");
    const csv = () => `${rowsOf(table).map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
    const copied = button("", "Copy", () => copy(rowsOf(table).map((row) => row.join("\t")).join("\n"), copied));
    const bar = tools(table.caption?.textContent ?? name, button("", "CSV", () => save(new Blob(["\ufeff", csv()], { type: "text/csv" }), `${name}.csv`)), copied);
    (table.closest(".scroll") ?? table).after(bar);
  }
})();
