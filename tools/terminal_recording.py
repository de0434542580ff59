"""Records commands in a terminal, and draws a recording as an SVG that moves: `python tools/terminal_recording.py record|draw`.

    record FILE.cast COMMAND ...    runs each command for real in a terminal of 100 columns; what came out, and when (asciicast 2)
    draw FILE.cast FILE.svg         the same as a picture; needs pyte (the extra `docs`)

A wait is shown in a part of its time, and the picture says so. It asks no other host, runs no script and stands still where
the reader's system asks for less motion.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shlex
import struct
import sys
import termios
import time
from collections.abc import Iterator
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

OWN_PATH = f"{Path(__file__).resolve().parents[1]}/"
"""Where this checkout lies: of no interest to anybody else."""
COLUMNS, ROWS = 100, 24
LONGEST = 38.0
"""Seconds of the picture."""
LAST = 6.0
"""Seconds for which the last screen stays, of these."""
MOST_FRAMES = 70
WIDE, HIGH, SIZE, EDGE = 7.8, 17, 13, 12
"""Points: width of a sign, height of a line, size of the letters, edge."""


def record(file: Path, commands: list[str]) -> None:
    """Run commands one after the other, each typed after a `$`; gives what they print with its time."""
    began = time.monotonic()
    with file.open("w", encoding="utf-8") as out:
        told = ", ".join(dict.fromkeys(commands))
        head = {"version": 2, "width": COLUMNS, "height": ROWS, "title": told}
        out.write(json.dumps(head) + "\n")

        def write(text: str) -> None:
            out.write(json.dumps([round(time.monotonic() - began, 3), "o", text], ensure_ascii=False) + "\n")
            out.flush()

        for command in commands:
            write("\x1b[1m$ \x1b[0m")
            for sign in command:
                time.sleep(0.04)
                write(sign)
            write("\r\n")
            _run(command, write)


def _run(command: str, write: Any) -> None:
    child, terminal = pty.fork()
    if child == 0:
        words = shlex.split(command)
        os.execvpe(
            words[0], words, {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(ROWS)}
        )
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    rest = b""
    while True:
        try:
            came = os.read(terminal, 65536)
        except OSError:  # the command has ended
            break
        if not came:
            break
        rest += came
        text = rest.decode("utf-8", "ignore")
        rest = rest[len(text.encode()) :]
        write(text.replace(OWN_PATH, ""))
    os.waitpid(child, 0)
    os.close(terminal)


class Frame(NamedTuple):
    """A screen, and from when on it is seen."""

    at: float
    lines: tuple[str, ...]


def frames(cast: Path) -> list[Frame]:
    """The screens of a recording, one for each change that is worth seeing; times in seconds of the recording."""
    import pyte

    head, *events = map(json.loads, cast.read_text(encoding="utf-8").splitlines())
    screen = pyte.Screen(head["width"], head["height"])
    stream = pyte.Stream(screen)
    least = events[-1][0] / (10 * MOST_FRAMES)
    found: list[Frame] = []
    for at, _, text in events:
        stream.feed(text)
        lines = tuple(line.rstrip() for line in screen.display)
        if not found or lines != found[-1].lines:
            if found and at - found[-1].at < least and len(found) > 1:
                found[-1] = Frame(found[-1].at, lines)
            else:
                found.append(Frame(at, lines))
    return found


def thinned(all_frames: list[Frame]) -> list[Frame]:
    """As many frames as the picture has, evenly taken, the first and the last among them."""
    if len(all_frames) <= MOST_FRAMES:
        return all_frames
    step = (len(all_frames) - 1) / (MOST_FRAMES - 1)
    return [all_frames[round(step * number)] for number in range(MOST_FRAMES)]


def shown_at(chosen: list[Frame]) -> list[float]:
    """When each frame begins in the picture: long waits last less, and the more so the longer they are."""
    gaps = [max(later.at - earlier.at, 0.05) ** 0.5 for earlier, later in pairwise(chosen)]
    scale = (LONGEST - LAST) / (sum(gaps) or 1)
    times = [0.0]
    for gap in gaps:
        times.append(times[-1] + gap * scale)
    return times


def draw(cast: Path) -> str:
    """The SVG of a recording."""
    chosen = thinned(frames(cast))
    times = shown_at(chosen)
    width, height = COLUMNS * WIDE + 2 * EDGE, (ROWS + 1) * HIGH + 2 * EDGE
    lines = {
        line: f"l{number}"
        for number, line in enumerate(dict.fromkeys(line for one in chosen for line in one.lines if line))
    }
    what = f"A recording of {json.loads(cast.read_text(encoding='utf-8').splitlines()[0])['title']}: a real run, waits shortened"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(what)}">',
        f"<style>{_style(times)}</style>",
        f'<rect width="{width:g}" height="{height:g}" rx="8" fill="#16181d"/><defs>',
        *(f'<text id="{name}" xml:space="preserve">{escape(line)}</text>' for line, name in lines.items()),
        "</defs>",
        *(
            part
            for number, frame in enumerate(chosen)
            for part in _frame(number, frame, lines, last=frame is chosen[-1])
        ),
        f'<text x="{EDGE}" y="{height - EDGE:g}" fill="#9aa3b2">{escape(what)}</text></svg>',
    ]
    return "\n".join(parts) + "\n"


def _frame(number: int, frame: Frame, lines: dict[str, str], *, last: bool) -> Iterator[str]:
    yield f'<g class="f{" e" if last else ""}" style="animation-name:k{number}">'
    for row, line in enumerate(frame.lines):
        if line:
            yield f'<use href="#{lines[line]}" x="{EDGE}" y="{EDGE + (row + 1) * HIGH - 4}"/>'
    yield "</g>"


def _style(times: list[float]) -> str:
    """Each frame is seen from its time to the next one's; all are gone where less motion is asked for, but the last."""
    rules = [
        f"text{{font:{SIZE}px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#e6e9ef}}",
        f".f{{visibility:hidden;animation:{LONGEST:g}s step-end infinite}}",
        "@media (prefers-reduced-motion:reduce){.f{animation:none}.e{visibility:visible}}",
    ]
    for number, (start, end) in enumerate(zip(times, [*times[1:], LONGEST], strict=True)):
        since, until = 100 * start / LONGEST, 100 * end / LONGEST
        before = "0%{visibility:hidden}" if number else ""
        after = f"{until:.2f}%{{visibility:hidden}}" if until < 100 else ""
        rules.append(f"@keyframes k{number}{{{before}{since:.2f}%{{visibility:visible}}{after}}}")
    return "".join(rules)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["record", file, *commands] if commands:
            record(Path(file), commands)
        case ["draw", file, picture]:
            Path(picture).write_text(draw(Path(file)), encoding="utf-8")
        case _:
            sys.exit(__doc__)
