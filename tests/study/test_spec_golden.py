"""Each wrong study under golden/spec beside the exact message that it gives.

After a wanted change of words: `python -m tests.study.test_spec_golden` writes the messages anew; read the difference.
"""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path

import pytest

from cbtrun.errors import SpecError
from cbtrun.study.load import load_study
from tests.helpers.spec_plugins import GOLDEN, small_registry

CASES = sorted(GOLDEN.glob("*.yaml"))


def message_of(case: Path) -> str:
    """What a study's problems look like. Lines `# --set a.b=c` at its top are given as on the command line."""
    lines = case.read_text(encoding="utf-8").splitlines()
    sets = [line.removeprefix("# --set ") for line in lines if line.startswith("# --set ")]
    with chdir(GOLDEN):
        try:
            load_study(case.name, sets, registry=small_registry())
        except SpecError as error:
            return f"{error}\n"
    return "no problems\n"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_wrong_study_gives_exactly_its_message(case: Path) -> None:
    assert message_of(case) == case.with_suffix(".txt").read_text(encoding="utf-8")


def test_every_golden_study_is_wrong() -> None:
    fine = [case.name for case in CASES if case.with_suffix(".txt").read_text(encoding="utf-8") == "no problems\n"]
    assert fine == []


if __name__ == "__main__":
    for case in CASES:
        case.with_suffix(".txt").write_text(message_of(case), encoding="utf-8")
