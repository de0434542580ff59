"""A replayed results.json beside the published one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cbtrun.cli.main import cli
from cbtrun.contract.records import Comparison
from cbtrun.errors import StageError
from cbtrun.results.records import Counts, Results, results_bytes
from cbtrun.results.same_results import MOST_SHOWN, same_results

Compared = Callable[[Callable[[Any], Any]], tuple[int, str]]


def document() -> Any:
    """Results with one comparison."""
    asked = {"analysis": "main", "outcome": "ctrs.total", "design": "paired", "factor": "arm", "levels": ("a", "b")}
    found = Comparison(groups=(), n=2, unit_of_analysis="pair", estimate=1.5, sentence="s", **asked)  # type: ignore[arg-type]
    counts = Counts(sessions=2, personas=2, ratings=2, scores=2, unscored={}, failures={})
    told = {"study": "s", "title": "t", "question": "", "seed": 1, "spec_digest": "d", "assumptions": {}, "flags": {}}
    made = Results(ratings={}, comparisons=(found,), counts=counts, **told)  # type: ignore[arg-type]
    return json.loads(results_bytes(made))


@pytest.fixture
def compared(tmp_path: Path) -> Compared:
    """Exit code and output of `compare` with a published file that was changed."""

    def run(change: Callable[[Any], Any]) -> tuple[int, str]:
        one = document()
        (tmp_path / "run").mkdir()
        (tmp_path / "run/results.json").write_text(json.dumps(one, indent=1))
        change(one)
        (tmp_path / "published.json").write_text(json.dumps(one, indent=1))
        outcome = CliRunner().invoke(
            cli, ["compare", str(tmp_path / "run"), str(tmp_path / "published.json")], standalone_mode=False
        )
        return outcome.return_value, outcome.output

    return run


def test_the_same_bytes_are_said_to_be_so(compared: Compared) -> None:
    code, out = compared(lambda one: None)  # noqa: ARG005
    assert code == 0
    assert "are the same, byte for byte." in out


def test_rounding_is_told_and_is_no_difference(compared: Compared) -> None:
    code, out = compared(lambda one: one["comparisons"][0].update(estimate=1.5 + 1e-12))
    assert code == 0
    assert "are the same within 1e-09: 1 number differs, the most by 1e-12." in out


def test_a_value_that_one_of_them_lacks_is_a_difference(compared: Compared) -> None:
    def change(one: Any) -> None:
        one.update(flags={"a": 3})
        one["comparisons"][0].update(estimate=1.5 + 1e-12)

    code, out = compared(change)
    assert code == 3
    assert "flags/a: (not there) and 3" in out
    assert "1 more number differs by less, the most by 1e-12." in out


def test_each_value_that_differs_is_named_by_what_it_belongs_to(compared: Compared) -> None:
    code, out = compared(lambda one: one["comparisons"][0].update(design="mixed"))
    assert code == 3
    assert "comparisons/main ctrs.total/design: paired and mixed" in out


def test_many_differences_are_counted(tmp_path: Path) -> None:
    one = document()
    for name, size in (("a.json", 0.0), ("b.json", 1.0)):
        one["flags"] = {f"f{at}": int(at + size) for at in range(MOST_SHOWN + 5)}
        (tmp_path / name).write_text(json.dumps(one))
    found = same_results(tmp_path / "a.json", tmp_path / "b.json")
    lines = list(found.lines(tmp_path / "a.json", tmp_path / "b.json"))
    assert "differ in 45 values by more than 1e-09:" in lines[0]
    assert lines[-1] == "  and 5 more"
    assert "f0: 0 and 1 (1 apart)" in lines[1]


def test_a_file_that_holds_no_results_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(document()))
    (tmp_path / "b.json").write_text('{"format": 1}')
    with pytest.raises(StageError, match=r"b\.json"):
        same_results(tmp_path / "a.json", tmp_path / "b.json")
