"""Who was studied and how many, for the methods: where patients come from, sizes of corpora, the reason of the sample size."""

from __future__ import annotations

from collections.abc import Iterator

from cbtrun.plugin import Comparison, power_between_groups, power_in_pairs
from cbtrun.plugins.report.inputs import ReportInput, headline_comparison

ALPHA, POWER = 0.05, 0.8
LARGEST = 4.0
"""Effect in SDs beyond which nothing is looked for."""


def patients_told(given: ReportInput) -> Iterator[str]:
    """Where the simulated patients come from."""
    for name in dict.fromkeys((given.study.evaluation_set(), *sorted(given.study.training_sets()))):
        people = given.study.personas.get(name)
        if people is None:
            continue
        source = people.options.get("attributes") or people.options.get("path") or people.options.get("author")
        of = f" (from {source})" if isinstance(source, str) else ""
        many = f"{people.count} " if people.count else ""
        use = "held the sessions" if name == given.study.evaluation_set() else "stand in the training transcripts alone"
        yield f"The {many}patients of the set {name} were made by the plugin {people.using}{of}; they {use}."


def corpora_told(given: ReportInput) -> Iterator[str]:
    """How large each training corpus is, and who wrote it."""
    for one in given.corpora:
        author = f", written by {one.author}" if one.author else ""
        left = f", {one.checks['failed']} left out by checks" if one.checks.get("failed") else ""
        yield f"The corpus {one.name} holds {one.transcripts} transcripts ({one.using}{author}{left})."


def sample_size_told(given: ReportInput) -> Iterator[str]:
    """The authors' reason for the sample size, and what the headline's n could detect: of the design, never of the result."""
    stated = given.study.statements.get("sample_size")
    if stated:
        yield stated if stated.rstrip().endswith(".") else f"{stated}."
    headline = headline_comparison(given)
    least = detectable(headline) if headline is not None else None
    if headline is not None and least is not None:
        what, n = ("d_z", f"{headline.n} pairs") if _is_paired(headline) else ("d", f"groups of {_group(headline)}")
        yield (
            f"With {n}, a two-sided t test at α = {ALPHA:g} detects {what} = {least:.2f} with a power of {POWER:.0%}"
            " (a property of the design, for one comparison without adjustment)."
        )
    if not stated:
        yield "No reason for the sample size was stated."


def detectable(one: Comparison) -> float | None:
    """The least effect in SDs that a t test of this n finds with the power wanted; none for other designs, or beyond reach."""
    if len(one.levels) != 2 or one.moderated or one.unit_of_analysis == "rating":
        return None
    power_at = power_in_pairs(ALPHA) if _is_paired(one) else power_between_groups(ALPHA)
    n = one.n if _is_paired(one) else _group(one)
    if n < 2 or power_at(n, LARGEST) < POWER:
        return None
    low, high = 0.0, LARGEST
    for _ in range(40):  # halved to far below a hundredth
        middle = (low + high) / 2
        low, high = (low, middle) if power_at(n, middle) >= POWER else (middle, high)
    return high


def _is_paired(one: Comparison) -> bool:
    return one.unit_of_analysis.startswith("pair")


def _group(one: Comparison) -> int:
    """Units of the smaller group: a power told for it is no promise too much."""
    return min((group.units or group.n for group in one.groups), default=0)
