"""A lease goes by signs of life and by no clock of another machine; who lost it stops, and of two who want it one gets it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cbtrun.errors import StageError, StopRun
from cbtrun.files import lease
from cbtrun.files.folder_hold import Holder
from cbtrun.files.lease import SILENT_SECONDS, Clock, Lease, numbers
from cbtrun.files.run_folder import RunFolder


class Watch:
    """A clock that goes on only when somebody sleeps; `meanwhile` happens then."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.time, self.meanwhile = 0.0, meanwhile

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.time, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.meanwhile()


@pytest.fixture(autouse=True)
def other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every lease of this process is of a machine that says nothing of its start, so that it is watched."""
    monkeypatch.setattr(lease, "BOOT", Path("/nowhere"))
    monkeypatch.setenv("CBTRUN_DISK", "network")


def test_a_silent_lease_is_taken_over_and_its_holder_stops(tmp_path: Path) -> None:
    first, watch, told = Lease(tmp_path, clock=Watch().clock), Watch(), []
    os.utime(first.path, (4e9, 4e9))  # the file's time is of another clock, years from ours
    second = Lease(tmp_path, told.append, watch.clock)
    assert SILENT_SECONDS <= watch.time < SILENT_SECONDS + 5
    assert len(told) == 1
    assert "gives no sign of life; it is taken over after 90 s" in told[0]
    second.check()
    first.beat()  # reaches nobody: the file is its own
    with pytest.raises(StopRun, match=r"process \d+ on .* has taken this run over") as lost:
        first.check(at_once=True)
    assert lost.value.exit_code == 4
    first.release()
    second.check(at_once=True)
    second.release()


@pytest.mark.parametrize("at", [1.0, 45.0, SILENT_SECONDS - 1])
def test_a_sign_of_life_keeps_the_folder(tmp_path: Path, at: float) -> None:
    first = Lease(tmp_path)
    os.utime(first.path, (0, 0))

    def beats_late() -> None:
        if watch.time >= at:
            first.beat()

    watch = Watch(beats_late)
    with pytest.raises(StageError, match=r"another cbtrun \(process \d+ on .*\) is running in this folder"):
        Lease(tmp_path, clock=watch.clock)
    first.check(at_once=True)
    first.release()


def test_a_sign_of_life_after_the_last_look_keeps_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, made = Lease(tmp_path), Lease._made

    def wakes_just_then(self: Lease, number: int) -> int | None:
        opened = made(self, number)
        first.beat()
        return opened

    monkeypatch.setattr(Lease, "_made", wakes_just_then)
    watch = Watch()
    monkeypatch.setattr(watch, "meanwhile", lambda: first.beat() if watch.time > SILENT_SECONDS + 2 else None)
    with pytest.raises(StageError, match="another cbtrun"):
        Lease(tmp_path, clock=watch.clock)
    first.check(at_once=True)
    assert numbers(tmp_path) == [1]
    first.release()


def test_of_two_who_watched_the_same_silence_one_gets_it(tmp_path: Path) -> None:
    gone = Lease(tmp_path)
    got: list[Lease] = []

    def somebody_is_faster() -> None:
        if watch.time >= SILENT_SECONDS and not got:
            got.append(Lease(tmp_path, clock=Watch().clock))
        elif got:
            got[0].beat()

    watch = Watch(somebody_is_faster)
    with pytest.raises(StageError, match="another cbtrun"):
        Lease(tmp_path, clock=watch.clock)
    got[0].check(at_once=True)
    for one in (gone, *got):
        one.release()


def test_what_was_given_back_or_is_of_a_dead_process_here_is_had_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Lease(tmp_path).release()
    watch = Watch()
    second = Lease(tmp_path, clock=watch.clock)
    second.check(at_once=True)
    second.release()
    monkeypatch.undo()  # this machine says its start again
    third = Lease(tmp_path)
    third.release()
    dead = third.path.read_bytes().replace(b'"free": true', b'"free":false').replace(b" ", b"")
    pid = f'"pid":{os.getpid()},'.encode()
    third.path.write_bytes(dead.replace(pid, b'"pid":999999999,'))
    Lease(tmp_path, clock=watch.clock).release()
    assert watch.time == 0


@pytest.mark.parametrize("content", [b"", b"{", b"\xff" * 2000, b'{"pid": []}', b"[" * 900])
def test_a_lease_with_anything_in_it_is_watched_like_any_other(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lease.7").write_bytes(content)
    watch = Watch()
    Lease(tmp_path, clock=watch.clock).release()
    assert watch.time >= SILENT_SECONDS
    assert numbers(tmp_path) == [8]


def test_a_folder_on_a_network_disk_is_held_by_a_lease_that_others_see(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with folder.locked():
        found = RunFolder(tmp_path).held_by()
        assert isinstance(found, Holder)
        assert (found.pid, found.is_silent) == (os.getpid(), False)
        assert found.words == f"process {os.getpid()} on {os.uname().nodename}"
        (tmp_path / "lease.1").unlink()
        assert folder.is_held()  # it looked a moment ago
        with pytest.raises(StopRun, match="somebody has taken this run over"):
            folder.check_lease()
        assert not folder.is_held()
    assert RunFolder(tmp_path).held_by() is None


def test_a_run_of_an_earlier_version_that_holds_a_lock_is_respected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("CBTRUN_DISK", "local")
        held = RunFolder(tmp_path).locked()
        held.__enter__()
    with pytest.raises(StageError, match="another cbtrun"), RunFolder(tmp_path).locked():
        pass
    held.__exit__(None, None, None)
