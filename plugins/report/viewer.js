// One session: turns beside ratings, evidence highlighted. All text enters the page as text nodes.
(function () {
  const viewer = document.getElementById("viewer");
  const sets = JSON.parse(document.getElementById("rating-sets").textContent);
  const [turnsPane, scoresPane] = viewer.querySelectorAll(".turns, .scores");
  const title = document.getElementById("viewer-title");
  const about = viewer.querySelector(".about");
  const { make, button, turn, light, bar, quotesByTurn } = transcriptParts;
  const facts = JSON.parse(document.getElementById("viewer-facts").textContent);
  const together = viewer.querySelector(".together");
  const panes = viewer.querySelector(".panes");
  const people = viewer.querySelector(".people");
  const beside = viewer.querySelector("[data-beside]");

  function choose(key) {
    scoresPane.querySelectorAll("[aria-pressed]").forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.key === key)));
    light(turnsPane, key);
  }

  function item(set, key, [id, points, reason, rationale, quotes, absent], session) {
    const [name, low, high] = sets[set]?.items[id] ?? [id, null, null];
    const head = button("", make("span", "title", name), () => choose(head.getAttribute("aria-pressed") === "true" ? null : key));
    head.dataset.key = key;
    head.setAttribute("aria-pressed", "false");
    const worth = make("span", "points", points === null ? "–" : String(points));
    if (points !== null && high !== null) worth.append(make("small", "", ` / ${high}`));
    head.append(worth);
    if (points !== null && low !== null && high !== null && high > low) head.append(bar(points, low, high));
    const whole = make("div", "item", head);
    const said = points === null ? `Not scored: ${reason}` : absent ? "Does not occur in the session." : "";
    if (said) whole.append(make("p", "", said));
    if (rationale) { const why = make("p", "", rationale); why.dir = "auto"; whole.append(why); }
    for (const [number, text] of quotes) {
      const quote = make("q", "", text, make("small", "", ` turn ${number}`));
      quote.addEventListener("click", () => { choose(key); document.getElementById(`turn-${number}`)?.scrollIntoView({ block: "center" }); });
      whole.append(quote);
    }
    if (session) whole.append(ownNotes.form(set, session, [id, name, low, high]));
    return whole;
  }

  function ratings(id, session) {
    const parts = [];
    const asked = new Set(); // a session rated twice on a rubric has one place for the reader's own view
    if (session.ratings.length) parts.push(ownNotes.summary());
    session.ratings.forEach((rating, order) => {
      const info = sets[rating.set];
      const repeat = session.ratings.some((one) => one.rater === rating.rater && one.set === rating.set && one.repeat > 1);
      parts.push(make("h3", "", `${info?.title ?? rating.set} `));
      parts.push(make("p", "caveat", `Rated by ${rating.rater}${repeat ? `, repeat ${rating.repeat}` : ""}; ${info?.note ?? ""}.`));
      for (const score of rating.scores) {
        const place = `${rating.set}.${score[0]}`;
        parts.push(item(rating.set, `${order}.${score[0]}`, score, asked.has(place) ? "" : id));
        asked.add(place);
      }
    });
    return parts.length ? parts : [make("p", "caveat", "This session was not rated.")];
  }

  const heads = [...document.querySelectorAll("#session-list thead th")].map((head) => head.textContent);
  const levelsOf = (id) => sessionList.byId.get(id).cells.slice(1).map((cell, at) => (cell ? `${heads[at + 1]}: ${cell}` : "")).filter(Boolean).join(" · ");

  function fill(id, session) {
    const quotesOf = quotesByTurn(session.ratings, (order, rating, item) => `${order}.${item}`);
    title.textContent = id;
    about.textContent = levelsOf(id);
    scoresPane.replaceChildren(...ratings(id, session));
    if (session.flags.length) scoresPane.prepend(make("p", "caveat", `Flags: ${session.flags.join("; ")}`));
    const shown = session.turns?.map((one, at) => turn(one, at + 1, quotesOf.get(at + 1) ?? []));
    turnsPane.replaceChildren(...(shown ?? [make("p", "caveat", "The words of this session are not in this report.")]));
    turnsPane.classList.remove("choosing");
    turnsPane.scrollTop = scoresPane.scrollTop = panes.scrollTop = 0;
  }

  // What one side is called: the levels in which the two differ, else its id.
  function calledBy(first, second) {
    const [a, b] = [first, second].map((id) => sessionList.byId.get(id));
    const apart = a.levels.findIndex((level, at) => level !== b.levels[at]);
    return apart < 0 ? [first, second] : [a.levels[apart] || first, b.levels[apart] || second];
  }

  async function whoSatThere(sessions, names) {
    const known = await transcripts.people();
    const cards = [...new Set(sessions.map((one) => one.persona).filter(Boolean))];
    const parts = cards.flatMap((id) => (known.personas[id] ? [[`Patient ${id}`, known.personas[id]]] : []));
    const told = new Map(); // title and text -> names of the sides that were told it
    sessions.forEach((one, at) => (known.arms[one.arm] ?? []).forEach((prompt) => {
      const key = JSON.stringify(prompt);
      told.set(key, [...(told.get(key) ?? []), names[at]]);
    }));
    for (const [key, sides] of told) {
      const [head, text] = JSON.parse(key);
      parts.push([sides.length < sessions.length ? `${head}: ${sides.join(", ")}` : head, text]);
    }
    people.replaceChildren(...parts.map(([head, content]) => {
      const body = typeof content === "string" ? make("pre", "", content)
        : make("dl", "facts", ...content.flatMap(([name, words]) => [make("dt", "", name), make("dd", "", words)]));
      body.dir = "auto";
      const whole = make("details", "", make("summary", "", head), body);
      whole.name = "people";
      return whole;
    }));
    people.hidden = !parts.length;
  }

  const name = (id) => encodeURIComponent(id);
  const pairHash = (first, second) => `#pair=${name(first)}|${name(second)}`;

  function offer(id, other) {
    const persona = sessionList.byId.get(id)?.persona;
    const others = persona ? sessionList.rows.filter((one) => one.persona === persona && one.id !== id) : [];
    beside.replaceChildren(new Option("alone", ""), ...others.map((one) => new Option(one.levels.filter(Boolean).join(", ") || one.id, one.id, false, one.id === other)));
    beside.parentElement.hidden = !others.length;
  }
  beside.addEventListener("change", () => {
    const [first] = wanted();
    location.hash = beside.value ? pairHash(first, beside.value) : `#session=${name(first)}`;
  });

  // The sessions that the address asks for: one, two, or none.
  function wanted() {
    const said = location.hash.match(/^#(session|pair)=(.*)$/);
    return said ? (said[1] === "pair" ? said[2].split(/\||%7C/i) : [said[2]]).slice(0, 2).map(decodeURIComponent) : [];
  }

  async function follow() {
    const ids = wanted();
    if (!ids.length) { if (viewer.open) viewer.close(); return; }
    const two = ids.length > 1;
    together.hidden = !two;
    panes.hidden = two;
    try {
      const sessions = await Promise.all(ids.map(transcripts.session));
      if (wanted().join("\n") !== ids.join("\n")) return;
      if (sessions.includes(undefined)) { if (viewer.open) viewer.close(); return; }
      const names = two ? calledBy(...ids) : ids;
      if (two) {
        sideBySide.fill(together, ...sessions, names);
        title.textContent = `${sessionList.byId.get(ids[0]).persona || ids[0]}: ${names.join(" beside ")}`;
        about.textContent = ids.map((id, at) => `${names[at]}: ${id}`).join(" · ");
      } else fill(ids[0], sessions[0]);
      offer(...ids);
      await whoSatThere(sessions, names);
    } catch (error) {
      title.textContent = ids.join(", ");
      (two ? together : turnsPane).replaceChildren(make("p", "caveat", String(error.message ?? error)));
      scoresPane.replaceChildren();
    }
    sessionList.mark(ids[0]);
    if (!viewer.open) { viewer.showModal(); title.focus(); }
  }

  // The next hash: of the pair beside this one among those that the study compares, or of the next session of the list.
  function moved(step) {
    const ids = wanted();
    const at = facts.pairs.findIndex((pair) => pair.join("\n") === ids.join("\n"));
    if (ids.length > 1) {
      const next = at < 0 ? undefined : facts.pairs[at + step];
      return next && pairHash(...next);
    }
    const next = sessionList.neighbour(step);
    if (next) sessionList.mark(next.id);
    return next && `#session=${name(next.id)}`;
  }

  function move(step) {
    const hash = moved(step);
    if (!hash) return;
    if (viewer.open) { history.replaceState(null, "", hash); follow(); }
    else sessionList.current().row.scrollIntoView({ block: "nearest" });
  }

  viewer.addEventListener("close", () => {
    if (wanted().length) history.replaceState(null, "", sessionList.hash());
    sessionList.current()?.row.querySelector("a").focus({ preventScroll: true });
  });
  viewer.addEventListener("click", (event) => {
    if (event.target === viewer || event.target.closest("[data-close]")) viewer.close();
    const step = event.target.closest("[data-move]")?.dataset.move;
    if (step) move(Number(step));
    if (event.target.closest("[data-print]")) window.print();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) {
      if (event.key === "Escape" && event.target === sessionList.search) event.target.blur();
      return;
    }
    const step = { j: 1, k: -1, ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step && (viewer.open || event.key.length === 1)) { event.preventDefault(); move(step); }
    if (event.key === "/") { event.preventDefault(); if (viewer.open) viewer.close(); sessionList.search.focus(); sessionList.search.select(); }
    if (event.key === "Enter" && !viewer.open && event.target === document.body && sessionList.current()) {
      location.hash = sessionList.current().row.cells[0].querySelector("a").hash;
    }
  });
  addEventListener("hashchange", follow);
  follow();
})();
