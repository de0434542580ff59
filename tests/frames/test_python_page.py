"""docs/python.md: its tables are those of the frames, and every example prints what stands there."""

from __future__ import annotations

import doctest
import re
from contextlib import chdir
from pathlib import Path

from tests.helpers.places import DOCS, ROOT

PAGE = DOCS / "python.md"


def test_the_tables_of_columns_are_fresh() -> None:
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("python_page", ROOT / "tools/python_page.py")
    assert spec is not None
    assert spec.loader is not None
    tool = module_from_spec(spec)
    spec.loader.exec_module(tool)
    page = PAGE.read_text(encoding="utf-8")
    assert tool.with_columns(page) == page, "run: python tools/python_page.py"


def test_every_example_prints_what_stands_there(tmp_path: Path) -> None:
    study = re.search(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert study is not None
    (tmp_path / "controls.yaml").write_text(study[1], encoding="utf-8")
    with chdir(tmp_path):
        ended = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert ended.failed == 0
    assert ended.attempted > 20
