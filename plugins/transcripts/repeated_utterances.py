"""Utterances that stand twice in a session: a table with a row for each annotator says everything several times."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from cbtrun.plugin import TableRow as Row
from cbtrun.plugins.transcripts.cells import at_row, cell

MOST_ANNOTATORS = 50
"""Values up to which a column may be one of annotators."""
NAMES = ("annot", "coder", "rater", "judge", "evaluator", "assessor", "expert", "reviewer", "worker", "labeler")
"""What such columns are called, where several would do."""
LONGEST = 500_000
"""Rows of a session up to which sequences are looked for."""
FEWEST = 3
"""Utterances that stand twice beside each other, from which that is no accident."""
LEAST = 4
"""Utterances in a row from which saying the same again is no accident."""


def refuse_repeats(id_: str, rows: Sequence[Row], columns: Mapping[str, str], source: object) -> None:
    """Raises SpecError with both lines, and the column to choose by, for an utterance that stands twice.

    With `order`: two rows of one speaker at one place. Without: values of another column under which a session is the same,
    or a part of the same; rows most of which say what the row before says; a session whose second half is its first.
    """
    said = [_utterance(row, columns) for row in rows]
    if "order" in columns:
        _same_place(id_, rows, columns, source)
    elif len({*said}) < len(said) <= LONGEST:
        _same_sequence(id_, rows, columns, source)
        _one_after_the_other(id_, rows, said, columns, source)


def _same_place(id_: str, rows: Sequence[Row], columns: Mapping[str, str], source: object) -> None:
    speaker = columns.get("speaker")
    keys = [(_shown(row, columns["order"]), _shown(row, speaker) if speaker else "") for row in rows]
    seen: dict[tuple[str, str], Row] = {}
    for key, row in zip(keys, rows, strict=True):
        first = seen.setdefault(key, row)
        if first is not row:
            what = f"session '{id_}': the same speaker has two rows at {columns['order']} {key[0]}, first on line {first.line}"
            raise at_row(source, row, f"{what}; {_choice([first, row], rows, keys, columns)}")


def _same_sequence(id_: str, rows: Sequence[Row], columns: Mapping[str, str], source: object) -> None:
    codes: dict[tuple[str, str], str] = {}
    for column in _others(rows, columns):
        groups: dict[str, list[Row]] = {}
        for row in rows:
            groups.setdefault(_shown(row, column), []).append(row)
        if not 1 < len(groups) <= MOST_ANNOTATORS:
            continue
        texts = {value: _coded(group, columns, codes) for value, group in groups.items()}
        longest = max(texts, key=lambda value: len(texts[value]))
        seen: dict[str, str] = {texts[longest]: longest}
        for value, text in texts.items():
            again = seen.setdefault(text, value)
            is_part = len({*text}) >= LEAST and text in texts[longest]
            if value in (again, longest) and not (is_part and value != longest):
                continue
            pair = [groups[again if value != again else longest][0], groups[value][0]]
            if len(text) > 1:
                _say_again(id_, pair, rows, columns, source)


def _say_again(id_: str, pair: list[Row], rows: Sequence[Row], columns: Mapping[str, str], source: object) -> None:
    first, again = sorted(pair, key=lambda row: row.line)
    keys = [_utterance(row, columns) for row in rows]
    what = f"session '{id_}': everything is said again from here on, first on line {first.line}"
    raise at_row(source, again, f"{what}; {_choice([first, again], rows, keys, columns)}")


def _one_after_the_other(
    id_: str, rows: Sequence[Row], said: Sequence[tuple[str, str]], columns: Mapping[str, str], source: object
) -> None:
    """Rows of one utterance beside each other, for most of them; and a session that stands twice."""
    again = [at for at in range(1, len(said)) if said[at] == said[at - 1]]
    if len(again) >= FEWEST and len(again) * 2 >= len({*said}):
        first, row = rows[again[0] - 1], rows[again[0]]
        what = f"session '{id_}': says what line {first.line} says, as {len(again)} of its {len(rows)} rows do"
        raise at_row(source, row, f"{what}; {_choice([first, row], rows, said, columns)}")
    half = len(said) // 2
    if half >= LEAST and said[:half] == said[half:]:
        _say_again(id_, [rows[0], rows[half]], rows, columns, source)


def _coded(rows: Sequence[Row], columns: Mapping[str, str], codes: dict[tuple[str, str], str]) -> str:
    """A character for each utterance, the same for the same, so that a sequence is looked for as a text is."""
    return "".join(codes.setdefault(_utterance(row, columns), chr(0x10000 + len(codes))) for row in rows)


def _others(rows: Sequence[Row], columns: Mapping[str, str]) -> list[str]:
    mapped = {*columns.values()}
    return [column for column in rows[0].cells if column not in mapped]


def _choice(pair: Sequence[Row], rows: Sequence[Row], keys: Sequence[Hashable], columns: Mapping[str, str]) -> str:
    """By which column to choose: the one of annotators first, under each of whose values everything stands once."""
    differing = [one for one in _others(rows, columns) if len({_shown(row, one) for row in pair}) > 1]
    if not differing:
        return "take one of them out of the file"
    differing.sort(key=lambda column: _repeats_and_gaps(column, rows, keys))
    first = differing[0]
    return f'they differ in {", ".join(differing[:5])}: choose one, e.g. `where: {{{first}: "{_shown(pair[0], first)[:24]}"}}`'


def _repeats_and_gaps(column: str, rows: Sequence[Row], keys: Sequence[Hashable]) -> tuple[float, bool]:
    """How far a column is from one of annotators: rows that repeat under a value, and utterances that a value lacks, a value.

    Whether it is called otherwise decides where several are as near.
    """
    under: dict[str, list[Hashable]] = {}
    for row, key in zip(rows, keys, strict=True):
        under.setdefault(_shown(row, column), []).append(key)
    whole = len({*keys})
    away = sum(len(held) - len({*held}) + whole - len({*held}) for held in under.values()) / len(under)
    return away, not any(name in column.casefold() for name in NAMES)


def _utterance(row: Row, columns: Mapping[str, str]) -> tuple[str, str]:
    speaker = columns.get("speaker")
    return (_shown(row, speaker) if speaker else "", _shown(row, columns["text"]))


def _shown(row: Row, column: str) -> str:
    value = cell(row, column)
    return "" if value is None else str(value)
