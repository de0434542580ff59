"""One `people:` block as an analysis reads it."""

from __future__ import annotations

from pathlib import Path

from cbtrun.files.run_folder import RunFolder
from cbtrun.run.inputs import Inputs


def test_a_rehearsal_waits_for_nobody(tmp_path: Path) -> None:
    study = {"rehearsal": {"models": {"rater": "a stand-in"}}}
    found = Inputs(RunFolder(tmp_path), study, {}, {"ours": {"file": "gone.csv"}}).people("ours", "two")
    assert found.fault == "a rehearsal has other sessions than those that people rated"
    assert found.values == {}
