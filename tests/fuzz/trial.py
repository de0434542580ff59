"""One command in process, within limits, and what is wrong with how it ended."""

from __future__ import annotations

import io
import re
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

WORK_SECONDS, WAIT_SECONDS = 10.0, 60.0
"""Of the processor, and by the clock: a busy machine is no finding, a command that waits for ever is."""
MOST_MIB = 1024.0
CODES = (0, 2, 3, 4)
_ESCAPES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal could take for an order, and what turns the direction of writing."""


class TookTooLong(BaseException):
    """The command is still at work."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    command: tuple[str, ...]
    code: int | None
    """None where it raised."""
    said: str
    seconds: float
    mib: float
    """Memory beyond what the process had before, at its highest."""
    fault: str = ""
    """What is wrong with it; empty where it ended as it should."""


def tried(command: tuple[str, ...], folder: Path, ask: Callable[[], int] | None = None) -> Ended:
    """Run `cbtrun COMMAND` in a folder. ask: does it instead of the command line, and gives the exit code."""
    out = io.StringIO()
    code: int | None = None
    raised = ""
    started, before = time.process_time(), _highest_mib(reset=True)
    with chdir(folder), redirect_stdout(out), redirect_stderr(out), _in_time():
        try:
            code = (ask or _command(command))()
        except TookTooLong:
            raised = f"hang: still at work after {WORK_SECONDS:g} s"
        except BaseException as error:
            raised = f"traceback: {type(error).__name__}: {' '.join(str(error).split())[:160]} at {_where(error)}"
    mib = _highest_mib() - before
    ended = Ended(command, code, out.getvalue(), time.process_time() - started, mib)
    return Ended(**{**vars(ended), "fault": raised or _fault(ended)})


def _command(command: tuple[str, ...]) -> Callable[[], int]:
    from cbtrun.cli.main import exit_code_of
    from cbtrun.keys.terminal import guarded_output

    def run() -> int:
        with guarded_output():
            return exit_code_of(list(command))

    return run


def _fault(ended: Ended) -> str:
    if "Traceback (most recent call last)" in ended.said:
        return "traceback: printed"
    if ended.code not in CODES:
        return f"exit {ended.code}: {ended.said.strip()[-300:]}"
    if ended.code and not ended.said.strip():
        return f"exit {ended.code} without a word"
    if ended.mib > MOST_MIB:
        return f"memory: {ended.mib:,.0f} MiB"
    if found := _ESCAPES.search(ended.said):
        return f"escape: {found.group()!r} in {ended.said[max(0, found.start() - 60) : found.end() + 30]!r}"
    return ""


def _where(error: BaseException) -> str:
    """The innermost line of ours."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if "/site-packages/" not in one.filename]
    own = [one for one in frames if "/runner/" in one.filename or "/plugins/" in one.filename] or frames
    return f"{'/'.join(Path(own[-1].filename).parts[-3:])}:{own[-1].lineno}" if own else "?"


@contextmanager
def _in_time() -> Iterator[None]:
    """Raises TookTooLong in what is inside once a limit is over, and again until it gives up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise TookTooLong

    before = [signal.signal(kind, stop) for kind in (signal.SIGPROF, signal.SIGALRM)]
    signal.setitimer(signal.ITIMER_PROF, WORK_SECONDS, 1.0)
    signal.setitimer(signal.ITIMER_REAL, WAIT_SECONDS, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for kind, handler in zip((signal.SIGPROF, signal.SIGALRM), before, strict=True):
            signal.signal(kind, handler)


def _highest_mib(*, reset: bool = False) -> float:
    """Most memory of this process since the last reset, or now."""
    if reset:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return 0.0
