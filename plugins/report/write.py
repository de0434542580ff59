"""Writes the page, its tables and its figures into the run folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from cbtrun.plugins.report.figure_style import save_figure
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.page import make_plates, make_tables, render_page
from cbtrun.plugins.report.result_tables import tidy_comparisons, tidy_groups, tidy_sessions
from cbtrun.plugins.report.tables import save_table
from cbtrun.plugins.report.transcripts import FOLDER, pack_sessions, write_chunks
from cbtrun.run_folder import write_atomically

TIDY = {"groups": tidy_groups, "comparisons": tidy_comparisons, "sessions": tidy_sessions}


def write_all(given: ReportInput, folder: Path) -> list[Path]:
    """report.html, tables/ and figures/; the page first. Transcripts go beside the page when they are too many for it."""
    options = given.options
    plates, tables, pack = make_plates(given), make_tables(given), pack_sessions(given)
    inline = len(given.sessions) <= options.max_page_sessions and pack.characters <= options.max_page_megabytes * 1e6
    page = folder / "report.html"
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    paths = [page, *([] if inline else write_chunks(pack, folder))]
    for name in ("tables", "figures"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if "csv" in options.tables:
        paths += [_written(folder / "tables" / f"{name}.csv", make(given)) for name, make in TIDY.items()]
    for table in tables.all():
        paths += save_table(table, folder / "tables", options.tables)
    for plate in plates.all():
        paths += save_figure(plate, folder / "figures", options.figures)
    write_atomically(page, render_page(given, plates, tables, pack, inline=inline))
    return paths


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="\n")
    return path
