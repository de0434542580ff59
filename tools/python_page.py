"""Writes the columns of the data frames into docs/python.md, from schemas/frames.yaml: `python tools/python_page.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cbtrun.frames.frame_columns import FrameColumns, frame_columns

PAGE = Path(__file__).resolve().parents[1] / "docs/python.md"
BEGIN, END = "<!-- columns: python tools/python_page.py -->\n", "<!-- columns end -->\n"


def with_columns(page: str) -> str:
    """The page with its tables made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = "\n".join(line for frame in frame_columns().values() for line in _lines(frame))
    return f"{before}{BEGIN}\n{tables}\n{END}{after}"


def _lines(frame: FrameColumns) -> Iterator[str]:
    files = ", ".join(f"`{one}`" if "." in one else one for one in frame.source.split(", "))
    yield f"### {frame.name}\n"
    yield f"A row is {frame.rows}. From {files}.\n"
    yield "| column | kind | unit | in the file | what it says |"
    yield "| --- | --- | --- | --- | --- |"
    for one in frame.columns:
        yield f"| `{one.name}` | {one.kind} | {one.unit or '–'} | {one.source} | {one.means} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(with_columns(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
