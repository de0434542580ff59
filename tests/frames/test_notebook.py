"""docs/python.ipynb runs from top to bottom in a kernel of its own, and gives what is stored in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.places import DOCS

NOTEBOOK = DOCS / "python.ipynb"


def told(outputs: list[Any]) -> list[Any]:
    """What cells gave, without the progress of a run, whose times differ, and without the bytes of pictures."""
    found = []
    for one in outputs:
        if one["output_type"] == "stream":
            found += [one["text"]] if one["name"] == "stdout" else []
        elif one["output_type"] == "error":
            found.append(one["evalue"])
        else:
            found.append((sorted(one["data"]), one["data"].get("text/plain")))
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the kernel's client warns of its own
def test_the_notebook_gives_what_is_stored_in_it(tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    stored = nbformat.read(NOTEBOOK, as_version=4)
    made = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        made, timeout=300, kernel_name="python3", coalesce_streams=True, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    for before, now in zip(stored.cells, made.cells, strict=True):
        if now.cell_type == "code":
            assert told(now.outputs) == told(before.outputs), now.source
    assert any("image/png" in one.get("data", {}) for cell in stored.cells for one in cell.get("outputs", ()))
