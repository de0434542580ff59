"""How one driver holds a run folder on a disk that several machines write: by a lease, a file that it keeps alive.

Locks of such a disk may end at the machine that took them, and die with it or outlive it; clocks of two machines differ. So
nobody reads another's clock. A driver writes a new sign of life into its file every BEAT_SECONDS; who wants the folder
watches that file, and takes over once it did not change for SILENT_SECONDS of its own clock. Leases are numbered, and the
next number is made by the one act that is atomic on every such disk: creating a file that must not be there. The holder
looks at its own file before each call and each commit: where that is gone or another's, it has lost the folder.
"""

from __future__ import annotations

import json
import os
import platform
import re
import secrets
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from cbtrun.errors import StageError, StopRun
from cbtrun.files.plain_files import open_plain

BEAT_SECONDS = 10.0
SILENT_SECONDS = 90.0
"""As long as an NFS server keeps the locks of a machine that it no longer hears."""
LOOK_SECONDS = 1.0
"""Between two looks at another's lease."""
LOOKS_AT_A_CLAIM = 20
"""Looks, within LOOK_SECONDS, at the lease of somebody who is just taking over, or withdraws it."""
SURE_SECONDS = 0.25
"""How long a look at our own lease is good for between calls: nobody could have taken it over without watching for longer."""
SIZE = 1024
"""Bytes of a lease: always as many, so that a sign of life replaces the one before in place."""
NAME = re.compile(r"lease\.(\d{1,9})")
BOOT, PIDS = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")


def _awake() -> float:
    """Seconds of a clock that nobody sets, and that goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True)
class Clock:
    """Time as a lease sees it; a test brings its own."""

    now: Callable[[], float] = _awake
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Driver:
    """Who holds a run folder: a process of a machine since its start."""

    host: str
    pid: int
    boot: str = ""
    """The machine's start; empty where it does not say."""
    pids: str = ""
    """The set of process numbers that `pid` is one of: containers of one machine have a set each."""
    run: str = ""
    """The run's id: no two runs of a folder have the same."""

    @property
    def words(self) -> str:
        """`process 12 on node7`."""
        return f"process {self.pid or 'unknown'} on {self.host or 'an unknown machine'}"

    def is_gone(self) -> bool:
        """Whether it was a process of this machine and is there no more: the one thing that needs no watching."""
        here = this_driver()
        if not self.boot or (self.boot, self.pids) != (here.boot, here.pids) or self.pid <= 0:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False


def this_driver() -> Driver:
    """The driver that this process is, with a new run id."""
    return Driver(platform.node(), os.getpid(), _line(BOOT), _link(PIDS), secrets.token_hex(16))


@dataclass(frozen=True)
class Seen:
    """A lease as its file was found."""

    number: int
    content: bytes
    driver: Driver
    free: bool
    """Whether its driver gave it back."""
    silent_seconds: float = 0.0
    """How old the last sign of life is if both clocks are right: to be shown, never to go by."""


class Lease:
    """A run folder that this process holds until it gives it back, or until another takes it over."""

    def __init__(self, folder: Path, tell: Callable[[str], None] = lambda _: None, clock: Clock | None = None) -> None:
        """Waits until whoever held the folder was silent for long enough.

        tell: hears that it waits, and for whom. Raises StageError where another driver is at work.
        """
        self._folder, self._clock = folder, clock or Clock()
        self._me = this_driver()
        self._beats, self._looked, self._lost = 0, float("-inf"), ""
        self._number, self._opened = self._taken(tell)
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._keep_alive, name="lease", daemon=True)
        self._heart.start()

    @property
    def path(self) -> Path:
        """Its file."""
        return _path(self._folder, self._number)

    def check(self, *, at_once: bool = False) -> None:
        """Raises StopRun when another has the folder. at_once: look now, however short ago the last look was."""
        now = self._clock.now()
        if self._lost or at_once or now - self._looked >= SURE_SECONDS:
            self._lost = self._lost or self._why_lost()
            if self._lost:
                raise StopRun(self._lost)
            self._looked = now

    def beat(self) -> None:
        """Give a sign of life, in our own file alone: who took over has another, which this cannot reach."""
        self._beats += 1
        os.pwrite(self._opened, _written(self._me, self._beats, free=False), 0)
        os.fsync(self._opened)

    def release(self) -> None:
        """Let others have the folder at once."""
        self._ended.set()
        self._heart.join()
        with suppress(OSError):
            os.pwrite(self._opened, _written(self._me, self._beats, free=True), 0)
            os.fsync(self._opened)
        with suppress(OSError):
            os.close(self._opened)

    def _taken(self, tell: Callable[[str], None]) -> tuple[int, int]:
        """The number and the open file of a lease that is ours now."""
        tried = 0
        while True:
            seen = newest(self._folder, tried)
            if seen is not None and not seen.free:
                seen = self._silent(seen, tell)
                if seen is None:
                    continue  # it went away, or was given back
            tried = seen.number + 1 if seen is not None else 1
            opened = self._made(tried)
            if opened is None:
                self._clock.sleep(LOOK_SECONDS)
            elif seen is not None and _content(_path(self._folder, seen.number)) not in (seen.content, b""):
                os.close(opened)  # a sign of life at the last moment: it is alive, and this was no lease
                _path(self._folder, tried).unlink(missing_ok=True)
            else:
                for number in numbers(self._folder):
                    if number < tried:  # how an earlier holder learns it, before anything is done here
                        _path(self._folder, number).unlink(missing_ok=True)
                return tried, opened

    def _silent(self, seen: Seen, tell: Callable[[str], None]) -> Seen | None:
        """The lease once it was silent for long enough; none where it is not there any more. Raises StageError if it beats."""
        if seen.driver.is_gone():
            return seen
        since, told = self._clock.now(), False
        while (waited := self._clock.now() - since) < SILENT_SECONDS:
            if waited > BEAT_SECONDS and not told:
                told = True
                tell(f"{self._folder}: {seen.driver.words} held this folder and gives no sign of life; it is taken over after {SILENT_SECONDS:.0f} s without one")  # fmt: skip
            self._clock.sleep(min(LOOK_SECONDS, BEAT_SECONDS))
            there = _content(_path(self._folder, seen.number))
            if there == seen.content:
                continue
            now = newest(self._folder)
            if now is None or now.free or now.number != seen.number:
                return None
            raise held(self._folder, now.driver.words)
        return seen

    def _made(self, number: int) -> int | None:
        """A lease's new file, open; none where somebody else was faster."""
        path = _path(self._folder, number)
        try:
            opened = open_plain(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            return None
        try:
            os.pwrite(opened, _written(self._me, 0, free=False), 0)
            os.fsync(opened)
        except BaseException:
            os.close(opened)
            path.unlink(missing_ok=True)
            raise
        return opened

    def _why_lost(self) -> str:
        """What to say where the folder is another's; empty while it is ours."""
        waited = 0
        while _read(_content(self.path))[0].run == self._me.run:
            if numbers(self._folder)[-1:] <= [self._number]:
                return ""
            if (
                waited == LOOKS_AT_A_CLAIM
            ):  # who made the next one died over it, and whoever comes next goes by that one
                break
            waited += 1  # in a moment that one is withdrawn, since we live, or our own is taken away
            self._clock.sleep(LOOK_SECONDS / LOOKS_AT_A_CLAIM)
        if not self._folder.is_dir():
            return ""  # moved or taken away: the hold says that
        there = newest(self._folder)
        who = there.driver.words if there is not None and there.driver.run != self._me.run else "somebody"
        return (
            f"{self._folder}: {who} has taken this run over, since this one gave no sign of life for {SILENT_SECONDS:.0f} s (it was "
            "paused, or cut off from the disk). It stopped here: it makes no call and writes nothing more. Its replies that were "
            "not in the journal by then are asked for again by the other"
        )

    def _keep_alive(self) -> None:
        """The thread that gives the signs of life; it ends the run's work when the folder is another's."""
        while not self._ended.wait(BEAT_SECONDS):
            with suppress(OSError):  # a disk that does not answer for a while; another may take over meanwhile
                self.beat()
            with suppress(OSError):
                self._lost = self._lost or self._why_lost()
            if self._lost:
                _interrupt()
                return


def held(folder: Path, who: str) -> StageError:
    """What to tell of a folder in which another cbtrun is at work."""
    return StageError(
        f"{folder}: another cbtrun ({who}) is running in this folder; wait for it, or give the study another name "
        "(--set study=NAME)"
    )


def numbers(folder: Path) -> list[int]:
    """Numbers of the leases in a folder, the newest last."""
    with suppress(FileNotFoundError):
        return sorted(int(found[1]) for path in folder.iterdir() if (found := NAME.fullmatch(path.name)))
    return []


def newest(folder: Path, known: int = 0) -> Seen | None:
    """The lease with the highest number; none where there is none. known: the number of one that a listing may not show yet."""
    for number in sorted({*numbers(folder), known} - {0}, reverse=True):
        path = _path(folder, number)
        with suppress(FileNotFoundError):
            written = path.stat().st_mtime
            content = _content(path)
            return Seen(number, content, *_read(content), max(0.0, time.time() - written))
    return None


def _path(folder: Path, number: int) -> Path:
    return folder / f"lease.{number}"


def _content(path: Path) -> bytes:
    """A lease's bytes, opened anew, since a network disk looks for changes when a file is opened; empty where it is not there."""
    try:
        opened = open_plain(path, os.O_RDONLY)
    except FileNotFoundError:
        return b""
    try:
        return os.read(opened, SIZE)
    finally:
        os.close(opened)


def _written(driver: Driver, beats: int, *, free: bool) -> bytes:
    told = {**asdict(driver), "host": driver.host[:200], "beat": beats, "free": free}
    return json.dumps(told, sort_keys=True).encode().ljust(SIZE - 1) + b"\n"


def _read(content: bytes) -> tuple[Driver, bool]:
    """Who a lease names, and whether it was given back; nobody known for one that is half written."""
    try:
        told = json.loads(content)
        texts = {name: str(told[name])[:200] for name in ("host", "boot", "pids", "run")}
        return Driver(pid=int(told["pid"]), **texts), told["free"] is True
    except (ValueError, KeyError, TypeError, RecursionError):
        return Driver("", 0), False


def _interrupt() -> None:
    """Stop what the main thread is at as Ctrl-C does: a training would else go on for hours."""
    if callable(signal.getsignal(signal.SIGINT)):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def _line(path: Path) -> str:
    with suppress(OSError):
        return path.read_text().strip()
    return ""


def _link(path: Path) -> str:
    with suppress(OSError):
        return str(path.readlink())
    return ""
