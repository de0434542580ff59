"""What may be wrong with a set of ratings, from the ratings themselves; a warning in plain words where it looks so.

The limits below are conventions of ours, not laws: a warning says "look here", its absence does not say "valid".
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cbtrun.contract.records import Interval
from cbtrun.contract.study_view import StudyView, view_of
from cbtrun.ratings.model_families import family, model_family
from cbtrun.results.records import Diagnostic
from cbtrun.statistics.samples import stored_float
from cbtrun.statistics.ties import tied

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cbtrun.results.session_facts import SessionFacts
    from cbtrun.scores.rated_sets import RatedSet

PILED_UP, CORRELATED, ONE_FACTOR, ONE_END, UNSCORED, UNEQUAL, SDS_FROM_NORM = 0.5, 0.3, 0.75, 0.6, 0.05, 0.1, 1.0
FEWEST = 8
"""Sessions below which a diagnostic that needs spread is not computed."""


def diagnostics_of(
    name: str, rated: RatedSet, sessions: Iterable[SessionFacts], study: Mapping[str, Any]
) -> tuple[Diagnostic, ...]:
    """Every diagnostic of a rating set, those of the scale first."""
    view = view_of(study)
    by_id = {facts.id: facts for facts in sessions}
    spoken = {
        id: facts for id, facts in by_id.items() if facts.turns
    }  # a forgotten session keeps its score, not its words
    found = [
        *_ends_of_scales(rated),
        *_halo(rated),
        *_length(rated, spoken),
        *_evidence_position(rated, spoken),
        *_order_and_drift(name, rated, spoken),
        *_self_preference(rated, by_id, view),
        *_rates_by_arm(rated, by_id),
        *_unblinding(name, rated, view),
        *_against_norms(rated),
    ]
    return tuple(
        one.model_copy(update={"value": None if one.value is None else stored_float(one.value)}) for one in found
    )


def _ends_of_scales(rated: RatedSet) -> Iterator[Diagnostic]:
    for item in (item for item in rated.rubric.items if item.kind == "item" and item.high is not None):
        scores = [value for value in rated.singles.get(item.id, {}).values() if value is not None]
        if not scores:
            continue
        for name, end in (("ceiling", item.high), ("floor", item.low)):
            share = sum(score == end for score in scores) / len(scores)
            many = share > PILED_UP and len(scores) >= FEWEST
            warning = f"{item.title}: {share:.0%} of scores are at the {'top' if name == 'ceiling' else 'bottom'} of the scale, so differences there are hidden."
            says = f"share of scores at {end:g}"
            yield Diagnostic(
                name=name, about=item.id, value=share, n=len(scores), says=says, warning=warning if many else ""
            )


def _halo(rated: RatedSet) -> Iterator[Diagnostic]:
    """Share of the first principal component of the items' correlations, and their mean correlation."""
    import numpy as np

    ids = [item.id for item in rated.rubric.items if item.kind == "item" and item.high is not None]
    table = _complete([rated.values.get(id, {}) for id in ids])
    varying = table[:, table.std(axis=0) > 1e-9] if table.size else table
    if varying.shape[0] < FEWEST or varying.shape[1] < 3:
        return
    correlations = np.corrcoef(varying.T)
    count = varying.shape[1]
    share = float(np.linalg.eigvalsh(correlations)[-1]) / count
    mean = float((correlations.sum() - count) / (count * (count - 1)))
    warning = (
        f"Items hardly differ from each other: one factor holds {share:.0%} of their variance (mean correlation {mean:.2f}). "
        "The rater may be giving one overall impression; item scores then add little to the total."
    )
    says = f"first factor's share of {count} items' variance; mean correlation of items {mean:.2f}"
    yield Diagnostic(
        name="halo",
        about="items",
        value=share,
        n=varying.shape[0],
        says=says,
        warning=warning if share > ONE_FACTOR else "",
    )


def _length(rated: RatedSet, sessions: Mapping[str, SessionFacts]) -> Iterator[Diagnostic]:
    outcome, values = _overall(rated)
    counts: dict[str, Callable[[SessionFacts], int]] = {
        "words of the therapist": lambda session: session.words,
        "turns": lambda session: session.turns,
    }
    for what, count in counts.items():
        pairs = [(float(count(sessions[id])), value) for id, value in values.items() if id in sessions]
        found = _spearman(pairs)
        if found is None:
            continue
        rho, interval = found
        more = "Longer" if rho > 0 else "Shorter"
        warning = (
            f"{more} sessions score higher: the {outcome} goes with the number of {what} (rank correlation {rho:.2f}, "
            f"95 % interval {interval.low:.2f} to {interval.high:.2f}). Compare arms of equal length, or say why length matters."
        )
        says = f"rank correlation of the {outcome} with the number of {what}"
        marked = abs(rho) >= CORRELATED and interval.low * interval.high > 0
        yield Diagnostic(
            name="length", about=what, value=rho, n=len(pairs), says=says, warning=warning if marked else ""
        )


def _evidence_position(rated: RatedSet, sessions: Mapping[str, SessionFacts]) -> Iterator[Diagnostic]:
    places = [(turn - 0.5) / sessions[id].turns for id, turn in rated.tally.quotes if id in sessions]
    if len(places) < 3 * FEWEST:
        return
    for about, low, high in (("first third", 0.0, 1 / 3), ("last third", 2 / 3, 1.0)):
        share = sum(low <= place < high or place == high == 1 for place in places) / len(places)
        warning = f"{share:.0%} of all quotes stand in the {about} of their session: the rest may not have been read with care."
        yield Diagnostic(
            name="evidence_position",
            about=about,
            value=share,
            n=len(places),
            says=f"share of quotes in the {about} of the session",
            warning=warning if share > ONE_END else "",
        )


def _order_and_drift(name: str, rated: RatedSet, sessions: Mapping[str, SessionFacts]) -> Iterator[Diagnostic]:
    """Whether scores move over the run, and whether a score follows the one that was given before it."""
    import numpy as np

    outcome, _ = _overall(rated)
    for rater in _raters(rated):
        places = {
            key: sessions[key[0]].places[name, key[2]]
            for key in rated.singles.get(outcome, {})
            if key[1] == rater and key[0] in sessions
        }
        ordered = sorted(places, key=lambda key: places[key])
        scores = [rated.singles[outcome][key] for key in ordered]
        pairs = [(float(at), score) for at, score in enumerate(scores) if score is not None]
        found = _spearman(pairs)
        if found is None:
            continue
        rho, interval = found
        warning = (
            f"Scores of {rater} {'rise' if rho > 0 else 'fall'} over the run (rank correlation with the order of asking {rho:.2f}): "
            "the model behind it may have changed on the way. The order is random, so arms are hit alike, but noise grows."
        )
        moved = abs(rho) >= CORRELATED and interval.low * interval.high > 0
        says = f"rank correlation of the {outcome} with the order of asking"
        yield Diagnostic(
            name="drift", about=rater, value=rho, n=len(pairs), says=says, warning=warning if moved else ""
        )
        values = np.array([score for _, score in pairs])
        follows = (
            float(np.corrcoef(values[:-1], values[1:])[0, 1]) if min(values[:-1].std(), values[1:].std()) > 0 else 0.0
        )
        strong = abs(follows) > max(CORRELATED, 2 / math.sqrt(values.size))
        told = f"Scores of {rater} follow the score given just before (correlation {follows:.2f}): ratings may not be independent."
        says = f"correlation of the {outcome} with that of the session asked about just before"
        yield Diagnostic(
            name="order", about=rater, value=follows, n=int(values.size), says=says, warning=told if strong else ""
        )


def _self_preference(rated: RatedSet, sessions: Mapping[str, SessionFacts], study: StudyView) -> Iterator[Diagnostic]:
    """Whether a rater rates therapists of its own family, and how their scores compare with those of other families."""
    outcome, _ = _overall(rated)
    families = {id: _therapist_family(study, session) for id, session in sessions.items()}
    for rater in _raters(rated):
        own = model_family(study, rater)
        if own is None or own not in families.values():
            continue
        scores = [
            (families.get(key[0]) == own, value)
            for key, value in rated.singles.get(outcome, {}).items()
            if key[1] == rater and value is not None
        ]
        same, other = ([value for is_own, value in scores if is_own == side] for side in (True, False))
        told = ""
        difference = None
        if same and other:
            difference = math.fsum(same) / len(same) - math.fsum(other) / len(other)
            told = f" Its own family scores {abs(difference):.1f} points {'higher' if difference > 0 else 'lower'} than the others."
        yield Diagnostic(
            name="self_preference",
            about=rater,
            value=difference,
            n=len(same),
            says=f"points that sessions of {own} therapists score above the others by this {own} rater",
            warning=f"{rater} is of the same family ({own}) as therapists that it rates, and models tend to prefer their own kind.{told} "
            "Add a rater of another family.",
        )


def _therapist_family(study: StudyView, session: SessionFacts) -> str | None:
    arm = study.arms.get(session.arm or "")
    if arm is not None:
        return model_family(study, arm.therapist)
    named = {**session.labels, **session.factors}
    return next((found for key, value in sorted(named.items()) if "model" in key and (found := family(value))), None)


def _rates_by_arm(rated: RatedSet, sessions: Mapping[str, SessionFacts]) -> Iterator[Diagnostic]:
    """Share of item scores that are unscored, and that are `absent`, in each arm (else in each level of a factor)."""
    counts: dict[str, Counter[str]] = {}
    for id, of_session in rated.tally.items.items():
        of_group = counts.setdefault(_group(sessions.get(id)), Counter())
        of_group.update(all=of_session.all, absent=of_session.absent, unscored=of_session.unscored)
    for name in ("unscored", "absent"):
        shares = {
            group: of_group[name] / of_group["all"] for group, of_group in sorted(counts.items()) if of_group["all"]
        }
        spread = max(shares.values(), default=0) - min(shares.values(), default=0)
        for group, share in shares.items():
            warning = ""
            if name == "unscored" and (share > UNSCORED or spread > UNSCORED):
                warning = (
                    f"{share:.0%} of item scores are missing in {group}: means there rest on what could be scored."
                )
            elif name == "absent" and spread > UNEQUAL and share == max(shares.values()):
                warning = f"In {group} {share:.0%} of items were scored `absent`, {spread:.0%} more than elsewhere: what cannot be quoted decides there."
            says = f"share of item scores that are {name}"
            yield Diagnostic(name=name, about=group, value=share, n=counts[group]["all"], says=says, warning=warning)


def _group(session: SessionFacts | None) -> str:
    if session is None:
        return "all"
    first = next(iter(sorted(session.factors)), None)
    return session.arm or (f"{first} {session.factors[first]}" if first else "all")


def _unblinding(name: str, rated: RatedSet, study: StudyView) -> Iterator[Diagnostic]:
    told, rated_sessions = rated.tally.unblinded, rated.tally.items
    masked = name in study.rating_sets and study.rating_sets[name].mask_identity
    warning = (
        f"{len(told)} of {len(rated_sessions)} sessions hold words that tell which model speaks, or that a model speaks, and the "
        "raters saw them. `mask_identity: true` under `ratings` hides them."
    )
    yield Diagnostic(
        name="unblinding",
        about="masked" if masked else "shown to the raters",
        value=len(told) / max(len(rated_sessions), 1),
        n=len(rated_sessions),
        says="share of sessions with words that tell the rater which model speaks",
        warning=warning if told and not masked else "",
    )


def _against_norms(rated: RatedSet) -> Iterator[Diagnostic]:
    from cbtrun.ratings.norms import norms_of

    norms = norms_of(rated.rubric.name)
    values = [value for value in rated.values.get("total", {}).values() if value is not None]
    if norms is None or not values or (norm := norms.outcomes.get("total")) is None or not norm.sd:
        return
    mean = math.fsum(values) / len(values)
    away = (mean - norm.mean) / norm.sd
    warning = (
        f"The mean total of {mean:.1f} lies {abs(away):.1f} SD {'above' if away > 0 else 'below'} that of human therapists rated by human experts "
        f"({norm.mean:g}, SD {norm.sd:g}, n = {norms.n:,}): the rater's severity differs from theirs at least as likely as the therapy does."
    )
    yield Diagnostic(
        name="norm",
        about="total",
        value=away,
        n=len(values),
        says=f"SDs of human therapists' totals between the mean total and theirs ({norm.mean:g})",
        warning=warning if abs(away) >= SDS_FROM_NORM else "",
    )


def _raters(rated: RatedSet) -> list[str]:
    return sorted({rater for _, rater, _ in next(iter(rated.singles.values()), {})})


def _overall(rated: RatedSet) -> tuple[str, dict[str, float]]:
    """The total, or the first item where there is none: outcome and its values."""
    outcome = (
        "total" if rated.rubric.has_total else next((i.id for i in rated.rubric.items if i.kind == "item"), "total")
    )
    return outcome, {id: value for id, value in rated.values.get(outcome, {}).items() if value is not None}


def _complete(columns: Sequence[Mapping[str, float | None]]) -> NDArray[np.float64]:
    """Sessions that have every value x columns."""
    import numpy as np

    ids = [id for id in (columns[0] if columns else {}) if all(column.get(id) is not None for column in columns)]
    table: NDArray[np.float64] = np.array([[column[id] for column in columns] for id in ids], dtype=float)
    return table


def _spearman(pairs: Sequence[tuple[float, float]]) -> tuple[float, Interval] | None:
    """Rank correlation with Fisher's z interval (Bonett & Wright 2000); none with too few pairs or no spread."""
    import numpy as np

    ranks = [_midranks([pair[side] for pair in pairs]) for side in (0, 1)]
    if len(pairs) < FEWEST or any(np.ptp(of_side) == 0 for of_side in ranks):
        return None
    rho = float(np.corrcoef(ranks[0], ranks[1])[0, 1])
    inside = max(-0.999999, min(0.999999, rho))
    half = 1.959963984540054 * math.sqrt((1 + inside**2 / 2) / (len(pairs) - 3))
    low, high = (math.tanh(math.atanh(inside) + side * half) for side in (-1, 1))
    return rho, Interval(low=low, high=high, method="Fisher z, Bonett & Wright 2000")


def _midranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Ranks (n,) from 1, ties in the middle. scipy.stats would do; every rated run would load its 45 MiB for this alone."""
    import numpy as np

    _, places, counts = np.unique(tied(np.asarray(values, dtype=float)), return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return ranks
