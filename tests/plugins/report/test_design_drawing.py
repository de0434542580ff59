"""The drawing of a study's design: cards, and a line for every name that a block uses."""

from __future__ import annotations

from cbtrun.plugins.report.design_drawing import draw_design


def test_a_corpus_made_of_another_stands_beside_it_with_a_line() -> None:
    corpus = {"begun": {"using": "written-course"}, "pairs": {"using": "compared-turns", "sessions": "begun"}}
    drawing = draw_design({"corpus": corpus, "tune": {"by-dpo": {"using": "preference", "corpus": "pairs"}}})
    begun, pairs, _ = drawing.cards
    assert len(drawing.lines) == 2
    assert f"M{begun.x + begun.width} {begun.y + 28}H{pairs.x}" in drawing.lines
