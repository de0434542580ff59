"""Which sessions stand behind a number: what its link shows in the list of sessions.

Said as levels that the list is filtered by; where levels do not say it, also as places in the list (`rows`: `0-11,14`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from urllib.parse import quote

from cbtrun.plugin import Comparison, Session, grouping_levels, level_of, reason_kind
from cbtrun.plugins.report.inputs import InputKey, ReportInput
from cbtrun.plugins.report.plain_text import plain

Levels = Mapping[str, str | Sequence[str]]
ROWS = "rows"


def behind(given: ReportInput, levels: Levels, members: Iterable[str] | None = None) -> dict[str, str | list[str]]:
    """The filter that shows the sessions at these levels or, where members says their ids, just those."""
    places = _places(InputKey(given))
    wanted = places.at(levels) if members is None else frozenset(places.of[one] for one in members)
    shown: dict[str, str | list[str]] = {}
    for name, kept in levels.items():
        if name in places.filters:
            several = [plain(one) for one in ([kept] if isinstance(kept, str) else kept)]
            shown[plain(name)] = several if len(several) > 1 else several[0]
    listed = places.at({name: kept for name, kept in levels.items() if name in places.filters})
    return shown if wanted == listed else {**shown, ROWS: _ranges(wanted)}


def scored(given: ReportInput, outcome: str, levels: Levels) -> dict[str, str | list[str]]:
    """The filter that shows the sessions at these levels that have a value of the outcome."""
    return behind(given, levels, _with_value(given, outcome, levels))


def unscored(given: ReportInput, outcome: str, levels: Levels) -> dict[str, str | list[str]]:
    """The filter that shows the sessions at these levels that have no value of the outcome."""
    return behind(given, levels, set(sessions_at(given, levels)) - set(_with_value(given, outcome, levels)))


def rated_sessions(
    given: ReportInput, outcome: str, raters: Sequence[str] = (), levels: Levels | None = None, least: int = 1
) -> dict[str, str | list[str]]:
    """The filter that shows the sessions at these levels with at least so many ratings for an outcome, by these raters if named."""
    at = levels or {}
    met = _times_rated(InputKey(given), outcome.partition(".")[0], tuple(raters))
    return behind(given, at, [id_ for id_ in sessions_at(given, at) if met[id_] >= least])


def unscored_items(given: ReportInput) -> dict[str, dict[str, str | list[str]]]:
    """Reason -> the filter that shows the sessions with an item that could not be scored for it."""
    met: dict[str, set[str]] = {}
    for rating in (rating for one in given.rated.values() for rating in one.ratings):
        for score in rating.scores:
            if score.score is None and not score.label:
                met.setdefault(reason_kind(score.reason or ""), set()).add(rating.session)
    return {reason: behind(given, {}, ids) for reason, ids in met.items()}


def behind_comparison(given: ReportInput, one: Comparison) -> dict[str, str | list[str]]:
    """The filter that shows the sessions with a value at a comparison's levels, as far as its analysis keeps them."""
    return behind(given, _levels_of(given, one), sessions_behind(given, one))


def sessions_behind(given: ReportInput, one: Comparison) -> list[str]:
    """Ids of the sessions with a value at a comparison's levels, as far as its analysis keeps them."""
    declared = given.study.analyses.get(one.analysis)
    options = declared.options if declared else {}
    dropped, by_id = set(options.get("exclude_flags") or ()), {session.id: session for session in given.sessions}
    kept = [by_id[id_] for id_ in _with_value(given, one.outcome, _levels_of(given, one))]
    kept = [session for session in kept if not dropped & {flag.split(":")[0].strip() for flag in session.flags}]
    if not isinstance(options.get("levels"), Mapping) and one.unit_of_analysis.startswith("pair"):
        kept = _paired(kept, one)
    return [session.id for session in kept]


def _levels_of(given: ReportInput, one: Comparison) -> Levels:
    """The levels that a comparison is about, of both factors where it has two."""
    declared = given.study.analyses.get(one.analysis)
    of_two = declared.options.get("levels") if declared else None
    of_two = of_two if isinstance(of_two, Mapping) else None
    levels: Levels = {**(of_two or {one.factor: one.levels}), **one.where}
    if one.moderated and of_two is None and declared:
        return {declared.factor: one.moderated, **levels}
    return levels


def sessions_at(given: ReportInput, levels: Levels) -> list[str]:
    """Ids of the sessions at all of these levels, in the study's order."""
    places = _places(InputKey(given))
    return [given.sessions[place].id for place in sorted(places.at(levels))]


def link(found: Levels) -> str:
    """The filter as a link of a figure, which opens the list from a figure's file too."""
    return f"#sessions={quote(json.dumps(found, separators=(',', ':'), ensure_ascii=False), safe=',:')}"


def pair_link(first: str, second: str) -> str:
    """The link that opens two sessions side by side."""
    return f"#pair={quote(plain(first), safe='')}|{quote(plain(second), safe='')}"


def _with_value(given: ReportInput, outcome: str, levels: Levels) -> list[str]:
    name, _, short = outcome.partition(".")
    values = given.rated[name].values.get(short, {}) if name in given.rated else {}
    return [one for one in sessions_at(given, levels) if values.get(one) is not None]


def _paired(sessions: Sequence[Session], one: Comparison) -> list[Session]:
    """Those whose persona has a session at every level."""
    met: dict[str | None, set[str | None]] = {}
    for session in sessions:
        met.setdefault(session.persona, set()).add(level_of(session, one.factor))
    return [session for session in sessions if met[session.persona] >= set(one.levels)]


def _ranges(places: Iterable[int]) -> str:
    """`0-2,5` for 0, 1, 2 and 5."""
    runs: list[list[int]] = []
    for place in sorted(places):
        if runs and runs[-1][1] == place - 1:
            runs[-1][1] = place
        else:
            runs.append([place, place])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


class _Places:
    """Where the sessions stand in the list, by id and by level."""

    def __init__(self, given: ReportInput) -> None:
        self.given = given
        self.of = {session.id: place for place, session in enumerate(given.sessions)}
        groupings = grouping_levels(given.study, given.sessions)
        self.filters = {name for name, levels in groupings.items() if len(levels) > 1}
        self._by_level: dict[str, dict[str, set[int]]] = {}

    def at(self, levels: Levels) -> frozenset[int]:
        """Places of the sessions at all of these levels."""
        found = frozenset(range(len(self.given.sessions)))
        for name, kept in levels.items():
            by_level = self._levels(name)
            wanted = [kept] if isinstance(kept, str) else kept
            found &= frozenset().union(*(by_level.get(level, set()) for level in wanted))
        return found

    def _levels(self, name: str) -> dict[str, set[int]]:
        if name not in self._by_level:
            read, found = _reader(self.given, name), dict[str, set[int]]()
            for place, session in enumerate(self.given.sessions):
                found.setdefault(read(session) or "", set()).add(place)
            self._by_level[name] = found
        return self._by_level[name]


def _reader(given: ReportInput, name: str) -> Callable[[Session], str | None]:
    """How a session's level is read: a grouping, or what `where` and `by` of an analysis know besides."""
    if name == "persona":
        return lambda session: session.persona
    if name == "repeat":
        return lambda session: str(session.repeat)
    if name == "patient":
        return lambda session: given.study.patient_in(session.arm) or None
    if name.startswith("persona."):
        from cbtrun.plugin import persona_levels

        levels = {id_: persona_levels(persona).get(name) for id_, persona in given.personas.items()}
        return lambda session: levels.get(session.persona or "")
    return lambda session: level_of(session, name) or session.labels.get(name)


@lru_cache(maxsize=64)
def _times_rated(key: InputKey, name: str, raters: tuple[str, ...]) -> Counter[str]:
    return Counter(one.session for one in key.given.rated[name].ratings if not raters or one.rater in raters)


@lru_cache(maxsize=1)
def _places(key: InputKey) -> _Places:
    return _Places(key.given)
