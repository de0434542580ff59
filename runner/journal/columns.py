"""A journal's columns as every query asks for them: as what they should hold, whatever a stranger's file holds.

SQLite keeps any kind of value in any column. A text where a count belongs must end no command, and a count below zero
must lift no budget.
"""

from __future__ import annotations

COUNTED = ("cached", "written", "thought", "size", "done", "status")
KINDS = {
    **dict.fromkeys(("attempt", "tokens_in", "tokens_out", "units", "tries", "tokens", *COUNTED), "INTEGER"),
    **dict.fromkeys(("usd", "seconds", "started", "last", "at", "made", "sent", "ended"), "REAL"),
}
"""Column -> what it holds; the others hold text."""
MOST = 1e15
"""Of a sum: more tokens, dollars or seconds than a study can take, and few enough to be counted with."""
LAST_MOMENT = 253_370_764_800.0
"""The year 9999, in seconds since 1970: a clock that is later cannot be told."""
WORKED = f"min(total(max(CAST(last AS REAL) - CAST(started AS REAL), 0)), {MOST})"
"""SQL: seconds that runs were at work. A clock that was set back takes nothing away."""


def cast_of(column: str) -> str:
    """SQL: a column's value as what it should hold. A cost alone may be nothing."""
    kind = KINDS.get(column, "TEXT")
    cast = f"CAST({column} AS {kind})"
    return cast if column == "usd" else f"coalesce({cast}, {chr(39) * 2 if kind == 'TEXT' else 0})"


def sum_of(column: str) -> str:
    """SQL: the sum of a column's positive values, 0 for no rows. `total` cannot overflow as `sum` does."""
    return f"CAST(min(total(max({cast_of(column)}, 0)), {MOST}) AS {KINDS[column]})"


def odd_values(table: str, columns: dict[str, bool]) -> str:
    """SQL: how many rows of a table hold a value of another kind. columns: name -> whether it may hold nothing."""
    kinds = {"INTEGER": "'integer'", "REAL": "'real', 'integer'", "TEXT": "'text'"}
    wrong = [
        f"typeof({name}) NOT IN ({kinds[KINDS.get(name, 'TEXT')]}{', ' + repr('null') if empty else ''})"
        for name, empty in columns.items()
    ]
    return f"SELECT count(*) FROM {table} WHERE {' OR '.join(wrong)}"
