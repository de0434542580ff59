// Two sessions side by side: turns aligned, scores and evidence between them.
const sideBySide = (function () {
  const { make, button, turn, light, bar, quotesByTurn } = transcriptParts;
  const sets = JSON.parse(document.getElementById("rating-sets").textContent);
  const whose = (rating) => `${rating.set}\n${rating.rater}\n${rating.repeat}`;

  // Rows of turns, [left, right] by position in their sessions: same speakers stand side by side.
  function aligned(left, right) {
    const rows = [];
    let a = 0, b = 0;
    while (a < left.length || b < right.length) {
      const here = left[a]?.[0], there = right[b]?.[0];
      const alone = here !== undefined && there !== undefined && here !== there;
      rows.push([here === undefined ? null : a, there === undefined || alone ? null : b]);
      if (here !== undefined) a += 1;
      if (there !== undefined && !alone) b += 1;
    }
    return rows;
  }

  function side(session, name) {
    const quotes = quotesByTurn(session.ratings, (order, rating, id) => `${whose(rating)}\n${id}`);
    return session.turns?.map((one, at) => turn(one, at + 1, quotes.get(at + 1) ?? [], `${name}-${at + 1}`)) ?? [];
  }

  function worth(score, [, low, high], name) {
    const points = score?.[1] ?? null;
    const one = make("span", `points ${name}`, points === null ? "–" : String(points));
    if (points !== null && low !== null && high !== null && high > low) one.append(bar(points, low, high));
    return one;
  }

  function said(score, name) {
    if (!score) return make("p", name, "Not rated.");
    const [, points, reason, rationale, quotes, absent] = score;
    const words = points === null ? `Not scored: ${reason}` : absent ? "Does not occur in the session." : rationale;
    const one = make("div", name, make("p", "", words || "No reason given."));
    one.dir = "auto";
    for (const [number, text] of quotes) one.append(make("q", "", text, make("small", "", ` turn ${number}`)));
    return one;
  }

  function between(first, second, names, words) {
    const rows = [];
    for (const rating of first.ratings) {
      const other = second.ratings.find((one) => whose(one) === whose(rating));
      const info = sets[rating.set];
      rows.push(make("h3", "", info?.title ?? rating.set), make("p", "caveat", `Rated by ${rating.rater}; left ${names[0]}, right ${names[1]}.`));
      for (const score of rating.scores) {
        const scale = info?.items[score[0]] ?? [score[0], null, null];
        const mine = other?.scores.find((one) => one[0] === score[0]);
        const key = `${whose(rating)}\n${score[0]}`;
        const told = make("div", "told", said(score, "left"), said(mine, "right"));
        told.hidden = true;
        const head = button("", "", () => {
          const open = head.getAttribute("aria-expanded") !== "true";
          head.parentElement.parentElement.querySelectorAll("[aria-expanded]").forEach((one) => { one.setAttribute("aria-expanded", "false"); one.nextElementSibling.hidden = true; });
          head.setAttribute("aria-expanded", String(open));
          told.hidden = !open;
          light(words, open ? key : null);
        });
        head.setAttribute("aria-expanded", "false");
        head.append(worth(score, scale, "left"), make("span", "title", scale[0]), worth(mine, scale, "right"));
        rows.push(make("div", "item", head, told));
      }
    }
    return rows.length ? rows : [make("p", "caveat", "These sessions were not rated.")];
  }

  // Fills `words` with both sessions; names are what each side is called.
  function fill(words, first, second, names) {
    const left = side(first, "left"), right = side(second, "right");
    const rows = aligned(first.turns ?? [], second.turns ?? []);
    const cells = [make("h3", "left", names[0]), make("h3", "right", names[1])];
    for (const [a, b] of rows) {
      cells.push(a === null ? make("div", "left") : make("div", "left", left[a]), b === null ? make("div", "right") : make("div", "right", right[b]));
    }
    if (!rows.length) cells.push(make("p", "caveat left", "The words of these sessions are not in this report."));
    const middle = make("div", "between", ...between(first, second, names, words));
    middle.style.gridRow = `1 / span ${Math.max(2, rows.length + 1)}`;
    middle.tabIndex = 0;
    middle.setAttribute("role", "region");
    middle.setAttribute("aria-label", "Scores of both");
    words.replaceChildren(cells[0], middle, ...cells.slice(1));
    words.classList.remove("choosing");
    words.scrollTop = 0;
  }

  return { fill };
})();
