"""Where files lie that tests read."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
GOLDEN = TESTS / "golden"
FIXTURES = TESTS / "fixtures"
DOCS = ROOT / "docs"
SPECS = ROOT / "specs"
RUBRICS = ROOT / "rubrics"


def optional_data(name: str) -> Path:
    """A file of the folder that CBTRUN_OPTIONAL_DATA names: data sets that we may not ship. Skips where it is not."""
    folder = os.environ.get("CBTRUN_OPTIONAL_DATA")
    if not folder:
        pytest.skip(f"reads {name}, which is not part of the repository: CBTRUN_OPTIONAL_DATA names no folder")
    path = Path(folder) / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path
