"""Judge noise in a comparison: what repeated ratings of the same sessions say about its effect and interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cbtrun.analysis.table import AnalysisUnit, Pairing, Row
from cbtrun.contract.records import Effect
from cbtrun.statistics.judge_noise import JudgeNoise, RatedSession, judge_noise, reliable_effect
from cbtrun.statistics.samples import as_sample

INSIDE = "judge noise is inside the interval, since values differ by it too"


@dataclass(frozen=True)
class NoiseReport:
    """What a comparison says about its raters."""

    variance: dict[str, float] = field(default_factory=dict)
    effects: tuple[Effect, ...] = ()
    words: tuple[str, ...] = ()


def independent_noise(
    units: Sequence[Sequence[AnalysisUnit]], rows: Sequence[Sequence[Row]], effects: Sequence[Effect]
) -> NoiseReport:
    """Noise of the units' means against their pooled variance within groups; corrects Hedges' g."""
    noise = _noise(rows)
    if noise is None:
        return _single(rows)
    samples = [as_sample([unit.value for unit in of_level]) for of_level in units]
    df = sum(max(0, sample.size - 1) for sample in samples)
    pooled = sum(float(((sample - sample.mean()) ** 2).sum()) for sample in samples if sample.size) / df if df else 0.0
    sizes = [len(unit.sessions) for of_level in units for unit in of_level]
    share = noise.of_a_mean * sum(1 / size for size in sizes) / len(sizes) if sizes else 0.0
    return _report(noise, pooled, share, [effect for effect in effects if effect.name == "hedges_g"])


def paired_noise(pairing: Pairing, rows: Sequence[Sequence[Row]], effects: Sequence[Effect]) -> NoiseReport:
    """Noise of the differences of persona means against their variance; corrects dz."""
    noise = _noise(rows)
    if noise is None:
        return _single(rows)
    differences = as_sample([pair.difference for pair in pairing.pairs])
    observed = float(differences.var(ddof=1)) if differences.size > 1 else 0.0
    counts = [_sessions_of(at_level) for at_level in rows]
    shares = [sum(1 / count.get(pair.persona, 1) for count in counts) for pair in pairing.pairs]
    share = noise.of_a_mean * sum(shares) / len(shares) if shares else 0.0
    return _report(noise, observed, share, [effect for effect in effects if effect.name == "dz"])


def _noise(rows: Sequence[Sequence[Row]]) -> JudgeNoise | None:
    return judge_noise(
        [
            RatedSession(str(at), row.ratings)
            for at, at_level in enumerate(rows)
            for row in at_level
            if row.value is not None and row.ratings
        ]
    )


def _single(rows: Sequence[Sequence[Row]]) -> NoiseReport:
    if not any(row.value is not None for at_level in rows for row in at_level):
        return NoiseReport()
    return NoiseReport(words=(f"one rating a session: {INSIDE}, but cannot be told apart from it",))


def _report(noise: JudgeNoise, observed: float, share: float, effects: Sequence[Effect]) -> NoiseReport:
    variance = {"session": noise.session, "residual": noise.residual}
    if noise.rater is not None:
        variance["rater"] = noise.rater
    corrected, reliability = [], 0.0
    for effect in effects:
        found, reliability = reliable_effect(effect, observed, share)
        corrected += [found] if found is not None else []
    words = f"{noise.ratings:.3g} ratings a session: {INSIDE}"
    if effects:
        variance["reliability"] = reliability
        words += f"; reliability of the compared values {reliability:.2f}"
        words += "" if corrected else ", too low for a corrected effect"
    return NoiseReport(variance, tuple(corrected), (words,))


def _sessions_of(rows: Sequence[Row]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        if row.persona is not None and row.value is not None:
            counts[row.persona] = counts.get(row.persona, 0) + 1
    return counts
