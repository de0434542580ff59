"""Utterances that stand twice in a session: a table with a row for each annotator says everything several times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cbtrun.plugin import TableRow as Row
from cbtrun.plugins.transcripts.cells import at_row, cell


def refuse_repeats(id_: str, rows: Sequence[Row], columns: Mapping[str, str], source: object) -> None:
    """Raises SpecError with both lines, and the column to choose by, for an utterance that stands twice.

    With `order`: two rows of one speaker at one place. Without: two values of another column under which a session is the same.
    """
    if "order" in columns:
        _same_place(id_, rows, columns, source)
    else:
        _same_sequence(id_, rows, columns, source)


def _same_place(id_: str, rows: Sequence[Row], columns: Mapping[str, str], source: object) -> None:
    seen: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = (_shown(row, columns["order"]), _shown(row, columns["speaker"]))
        first = seen.setdefault(key, row)
        if first is not row:
            what = f"session '{id_}': the same speaker has two rows at {columns['order']} {key[0]}, first on line {first.line}"
            raise at_row(source, row, f"{what}; {_choice([first, row], columns)}")


def _same_sequence(id_: str, rows: Sequence[Row], columns: Mapping[str, str], source: object) -> None:
    for column in _others(rows, columns):
        groups: dict[str, list[Row]] = {}
        for row in rows:
            groups.setdefault(_shown(row, column), []).append(row)
        seen: dict[tuple[tuple[str, str], ...], Row] = {}
        for group in groups.values():
            said = tuple((_shown(row, columns["speaker"]), _shown(row, columns["text"])) for row in group)
            first = seen.setdefault(said, group[0]) if len(said) > 1 else group[0]
            if first is not group[0]:
                what = f"session '{id_}': everything is said again from here on, first on line {first.line}"
                raise at_row(source, group[0], f"{what}; {_choice([first, group[0]], columns)}")


def _others(rows: Sequence[Row], columns: Mapping[str, str]) -> list[str]:
    mapped = {*columns.values()}
    return [column for column in rows[0].cells if column not in mapped]


def _choice(rows: Sequence[Row], columns: Mapping[str, str]) -> str:
    differing = [one for one in _others(rows, columns) if len({_shown(row, one) for row in rows}) > 1]
    if not differing:
        return "take one of them out of the file"
    first = differing[0]
    return f'they differ in {", ".join(differing[:5])}: choose one, e.g. `where: {{{first}: "{_shown(rows[0], first)[:24]}"}}`'


def _shown(row: Row, column: str) -> str:
    value = cell(row, column)
    return "" if value is None else str(value)
