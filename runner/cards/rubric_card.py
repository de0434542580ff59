"""The card of a rubric: what it measures, whose words it is, what is known of its validity."""

from __future__ import annotations

from collections.abc import Iterator

from cbtrun.cards.parts import NOT_FOR_CARE, card, listed
from cbtrun.contract.markdown_text import markdown_code, markdown_table, markdown_text
from cbtrun.ratings.rubric import Item, Rubric, rubric_digest


def rubric_card(rubric: Rubric) -> str:
    """The card as Markdown."""
    return card(_lines(rubric))


def _lines(rubric: Rubric) -> Iterator[str]:
    yield f"# Rubric {markdown_code(rubric.name)}: {markdown_text(rubric.title)}"
    yield ""
    yield from listed(
        [
            ("Version", rubric.version),
            ("SHA-256 of its content", rubric_digest(rubric)),
            ("Source", rubric.source),
            ("Licence", rubric.licence),
            ("Rates", f"the {rubric.speaker}"),
            ("Validity", rubric.validation),
        ]
    )
    if rubric.assumed_scale:
        yield "- **Scale**: items or maximum were not published and are assumed; totals are not compared with published ones"
    yield from (f"- **Note**: {markdown_text(note)}" for note in rubric.notes)
    yield from ["", "## Items", ""]
    rows = [(one.id, one.name, _scale(one), one.subscale or "", _how(one), one.asks) for one in rubric.items]
    yield from markdown_table(("id", "item", "scale", "part", "", "asks"), rows)
    yield from ["", "## Total", "", _total(rubric), ""]
    yield from ["## By program", "", _by_program(rubric), ""]
    yield from ["## Limits", ""]
    yield "- A score is what a rater gives; how far raters agree with each other and with clinicians has to be shown in each study."
    yield f"- Validity: {markdown_text(rubric.validation)}."
    yield f"- {NOT_FOR_CARE}"


def _scale(item: Item) -> str:
    if item.type == "text":
        return "words"
    low, high = item.bounds
    return f"{item.type}, {low:g} to {'no end' if high is None else f'{high:g}'}"


def _how(item: Item) -> str:
    told = ["reverse-keyed"] if item.reverse else []
    told += [f"weight {item.weight:g}"] if item.weight != 1 else []
    told += ["may not apply"] if item.not_applicable or item.applies_if else []
    told += [] if item.counts else ["not in the total"]
    return ", ".join(told)


def _total(rubric: Rubric) -> str:
    if rubric.total is None:
        return "Its items are never added up."
    end = "no end" if rubric.total.high is None else f"{rubric.total.high:g}"
    said = f"The {rubric.total.method} of the items that count, from {rubric.total.low:g} to {end}."
    if rubric.total.threshold is not None:
        said += f" {rubric.total.threshold:g}: {markdown_text(rubric.total.threshold_means or 'its threshold')}."
    return said


def _by_program(rubric: Rubric) -> str:
    scored = [one for one in rubric.items if one.signals]
    if not scored:
        return "No item can be scored by a program."
    return (
        f"{len(scored)} of {len(rubric.items)} items can be scored by counting {len(rubric.signals)} signals of its own in the words: "
        "without any understanding, and easily fooled by the words alone."
    )
