"""Writes the page, its tables and its figures into the run folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from cbtrun.plugin import write_atomically
from cbtrun.plugins.report.card import save_card
from cbtrun.plugins.report.figure_style import save_figure
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.page import make_plates, make_tables, render_page
from cbtrun.plugins.report.page_parts import Plates, Tables
from cbtrun.plugins.report.rehearsal import is_rehearsal, stamped_csv, stamped_plates, stamped_tables
from cbtrun.plugins.report.result_tables import tidy_comparisons, tidy_groups, tidy_sessions
from cbtrun.plugins.report.tables import as_csv, save_table
from cbtrun.plugins.report.transcripts import FOLDER, pack_sessions, write_chunks

TIDY = {"groups": tidy_groups, "comparisons": tidy_comparisons, "sessions": tidy_sessions}


def write_all(given: ReportInput, folder: Path) -> list[Path]:
    """report.html, tables/ and figures/, as far as the options ask for them; the page first."""
    options = given.options
    plates, tables = make_plates(given), make_tables(given)
    rehearsal = is_rehearsal(given.study)
    if rehearsal:
        plates, tables = stamped_plates(plates), stamped_tables(tables)
    plates = plates.each_once()
    paths = _write_page(given, plates, tables, folder) if options.page else []
    for name, wanted in (("tables", options.tables), ("figures", options.figures)):
        if wanted:
            (folder / name).mkdir(parents=True, exist_ok=True)
    if "csv" in options.tables:
        for name, text in _csv_texts(given, tables).items():
            paths.append(_written(folder / "tables" / f"{name}.csv", stamped_csv(text) if rehearsal else text))
    for table in tables.all():
        paths += save_table(table, folder / "tables", options.tables)
    if options.card:
        paths += save_card(given, folder)
    for plate in plates.all():
        paths += save_figure(plate, folder / "figures", options.figures)
    return paths


def _csv_texts(given: ReportInput, tables: Tables) -> dict[str, str]:
    """File name -> CSV: tidy with unrounded numbers where we have that, the table's own cells elsewhere."""
    formatted = {one.name: as_csv(one.columns, [row.cells for row in one.rows]) for one in tables.all()}
    return {**formatted, **{name: make(given.named) for name, make in TIDY.items()}}


def _write_page(given: ReportInput, plates: Plates, tables: Tables, folder: Path) -> list[Path]:
    """The page; transcripts go beside it when they are too many for it."""
    options, pack = given.options, pack_sessions(given)
    inline = len(given.sessions) <= options.max_page_sessions and pack.characters <= options.max_page_megabytes * 1e6
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    beside = [] if inline else write_chunks(pack, folder)
    page = folder / "report.html"
    write_atomically(page, render_page(given, plates, tables, pack, inline=inline))
    return [page, *beside]


def _written(path: Path, text: str) -> Path:
    write_atomically(path, text)
    return path
