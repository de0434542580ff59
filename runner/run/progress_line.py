"""A stage's line: how far it is, the time, and short figures, as many as the terminal is wide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cbtrun.contexts import StageNote

NAME_WIDTHS = (22, 28)
"""Width of the first column, below and from 100 columns on."""
UNITS_WIDTH, STATE_WIDTH = 17, 10
RECORDS = {
    "personas": "personas",
    "corpus": "transcripts",
    "tune": "adapters",
    "sessions": "sessions",
    "ratings": "ratings",
    "analysis": "comparisons",
    "report": "files",
}
"""Block -> what its records are called."""


def stage_line(note: StageNote, seconds: float, left: float | None = None, width: int | None = None) -> str:
    """`ratings.ctrs  40/80  50%  10 s, 10 s left, 20 calls (2.0/s)` for any state of a stage.

    seconds: that it has taken. left: until it ends, where somebody can say. width: columns of the terminal, which the
    line keeps to: the last figures are left out; none for no bound.
    """
    name_width = NAME_WIDTHS[(width or 100) >= 100]
    name = note.stage if width is None else shortened(note.stage, name_width)
    if note.state == "up to date":
        return fitted(f"{name:<{name_width}} up to date", width)
    head = f"{name:<{name_width}} {_units(note):>{UNITS_WIDTH}}  {_state(note):<{STATE_WIDTH}}"
    return joined(head, _figures(note, seconds, left), width)


def joined(head: str, figures: Iterator[str] | Sequence[str], width: int | None) -> str:
    """The head and as many figures as there is room for."""
    line, sign = head, " "
    for figure in figures:
        longer = f"{line}{sign}{figure}"
        if width is not None and len(longer) >= width:
            break
        line, sign = longer, ", "
    return fitted(line.rstrip(), width)


def fitted(line: str, width: int | None) -> str:
    """The line, cut where it would wrap."""
    return line if width is None or len(line) < width else f"{line[: max(0, width - 2)]}…"


def shortened(name: str, width: int) -> str:
    """A name, its middle left out where it is longer: jobs of one study often begin alike, or end so."""
    return name if len(name) <= width else f"{name[: width - width // 2]}…{name[len(name) - width // 2 + 1 :]}"


def to_come_line(stages: Sequence[str], width: int | None = None) -> str:
    """`to come: sessions, ratings.ctrs and 3 more`; empty where nothing is."""
    if not stages:
        return ""
    for shown in range(len(stages), 0, -1):
        more = f" and {len(stages) - shown} more" if shown < len(stages) else ""
        line = f"to come: {', '.join(stages[:shown])}{more}"
        if width is None or len(line) < width:
            return line
    return fitted(f"to come: {len(stages)} stages", width)


def _units(note: StageNote) -> str:
    if note.state == "running":
        counted = f" {note.counted}" if note.counted else ""
        return f"{note.done:,}/{note.total:,}{counted}" if note.total else f"{note.done:,}" if note.done else ""
    block = note.stage.partition(".")[0]
    word = RECORDS.get(block, "")
    return f"{note.done:,} {word[:-1] if note.done == 1 else word}".rstrip() if note.done else ""


def _state(note: StageNote) -> str:
    return f"{100 * note.done // note.total:>3}%" if note.state == "running" and note.total else note.state


def _figures(note: StageNote, seconds: float, left: float | None) -> Iterator[str]:
    """The most wanted first: the last are left out where there is no room."""
    running = note.state == "running"
    yield clock(seconds) if running else duration(seconds)
    if running and left is not None:
        yield f"{clock(left)} left"
    if note.detail and running:
        yield note.detail
    if note.calls or note.replayed:
        yield f"{number_of(note.calls, 'call')}{_rate(note.calls, seconds)}"
    if note.replayed:
        yield f"{short(note.replayed)} kept"
    if note.usd:
        yield f"${note.usd:,.2f}"
    if note.tokens:
        yield f"{short(note.tokens)} tokens{_rate(note.tokens, seconds)}"
    if note.retries:
        yield number_of(note.retries, "retry", "retries")


def number_of(number: int, one: str, many: str = "") -> str:
    """`1 retry`, `2 retries`, `12k calls`."""
    return f"{short(number)} {one if number == 1 else many or f'{one}s'}"


def short(number: float) -> str:
    """`9,999`, `44k`, `1.2M`."""
    for unit, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= max(unit * 0.9995, 1e4):
            return f"{number / unit:.1f}{sign}" if number < unit * 9.95 else f"{number / unit:,.0f}{sign}"
    return f"{number:,.0f}"


def _rate(count: int, seconds: float) -> str:
    """` (2.3/s)`; nothing in the first second, which says little."""
    if not count or seconds < 1:
        return ""
    rate = count / seconds
    return f" ({rate:.1f}/s)" if rate < 9.95 else f" ({short(rate)}/s)"


def clock(seconds: float) -> str:
    """Whole seconds, of what goes on, in few columns: `8 s`, `3:20`, `2:05:00`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = f"{whole // 60 % 60}:{whole % 60:02}"
    return minutes if whole < 3600 else f"{whole // 3600}:{minutes:0>5}"


def duration(seconds: float) -> str:
    """`0.4 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"
