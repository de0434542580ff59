"""Several processes that train one adapter together: started, watched, and ended with their reason told."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cbtrun.plugin import HUB_KEYS, StageError, StopRun, child_environment, environment_without_keys, python_module
from cbtrun.plugins.tuning.disk_full import CODE, full_words
from cbtrun.plugins.tuning.sft_watch import Tell
from cbtrun.plugins.tuning.trackers import TRACKER_KEYS

PATIENCE_SECONDS = 2.0
"""What processes have to end by themselves once one has failed."""
LOOK_SECONDS = 0.1
Process = subprocess.Popen[bytes]
_RUNNING: set[subprocess.Popen[bytes]] = set()


def run_together(module: str, folder: Path, count: int, gpus: Sequence[str], tell: Tell) -> None:
    """Run a module in so many processes until all are done, each with its place in the environment as torchrun has it.

    folder: the module's only argument; where each process leaves `log-RANK`, and `failed-RANK.json` with a message for
    the user. gpus: those that the processes see, one each; none leaves it to them. What process 0 prints, one JSON list
    of (step, steps, words) a line, goes to `tell`. A process whose parent is gone sees its standard input end.
    Raises StageError when one fails or is killed, StopRun when the disk is full; the others are ended.
    """
    for old in folder.glob("failed-*.json"):
        old.unlink()
    port = _free_port()
    processes = [_start(module, folder, rank, count, port, gpus) for rank in range(count)]
    _RUNNING.update(processes)
    listener = threading.Thread(target=_listen, args=(processes[0], tell), daemon=True)
    listener.start()
    try:
        codes: list[int | None] = [None]
        while None in codes and not any(codes):
            time.sleep(LOOK_SECONDS)
            codes = [process.poll() for process in processes]
        if any(codes):
            _wait(processes, PATIENCE_SECONDS if count > 1 else 0)
            if CODE in [process.poll() for process in processes]:
                raise StopRun(full_words(folder.parent))
            raise StageError(reason(processes, folder))
        listener.join(timeout=PATIENCE_SECONDS)
    finally:
        end_processes(processes)


def start(module: str, folder: Path, gpus: Sequence[str]) -> subprocess.Popen[bytes]:
    """A process by itself, which ends with this one at the latest. folder: its argument, where it leaves `log-0`."""
    process = _start(module, folder, 0, 1, _free_port(), gpus)
    _RUNNING.add(process)
    return process


def end_all() -> None:
    """End every training that runs in processes of its own: whoever waits for one raises StageError."""
    for process in list(_RUNNING):
        process.kill()


def _start(module: str, folder: Path, rank: int, count: int, port: int, gpus: Sequence[str]) -> subprocess.Popen[bytes]:
    place = {"RANK": rank}
    if count > 1:  # alone it is no part of a group, and nothing is to be wrapped for one
        place |= {"LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_PORT": port}
    told = {name: str(value) for name, value in place.items()} | {"MASTER_ADDR": "127.0.0.1"}
    if gpus:
        told["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    with (folder / f"log-{rank}").open("wb") as log:
        return subprocess.Popen(
            python_module(module, str(folder)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if rank == 0 else log,
            stderr=log,
            env=child_environment({**environment_without_keys(keep=(*HUB_KEYS, *TRACKER_KEYS)), **told}),
            start_new_session=True,  # Ctrl-C is for the runner, which ends them
        )


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _listen(process: subprocess.Popen[bytes], tell: Tell) -> None:
    for line in process.stdout or ():
        step, steps, words = json.loads(line)
        tell(step, steps, words)


def _wait(processes: Sequence[subprocess.Popen[bytes]], seconds: float) -> None:
    until = time.monotonic() + seconds
    while None in [process.poll() for process in processes] and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)


def end_processes(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Kill those that still run, and wait until they are gone."""
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with suppress(OSError):  # what was not written yet has no reader any more
                    pipe.close()
    _RUNNING.difference_update(processes)


def reason(processes: Sequence[subprocess.Popen[bytes]], folder: Path) -> str:
    """Why it failed: what a process said for the user, else who was killed, else the last words of the first to end."""
    for rank in range(len(processes)):
        failed = folder / f"failed-{rank}.json"
        if failed.exists():
            return str(json.loads(failed.read_text(encoding="utf-8"))["message"])
    codes = [process.returncode or 0 for process in processes]
    killed = [rank for rank, code in enumerate(codes) if code < 0]  # the others only lost their partner
    rank = killed[0] if killed else next(rank for rank, code in enumerate(codes) if code)
    who = f"training process {rank + 1} of {len(processes)}" if len(processes) > 1 else "the training process"
    if killed:
        name = signal.Signals(-codes[rank]).name
        return f"{who} was killed ({name}); the same command goes on from the last checkpoint (what it said: {folder})"
    words = (folder / f"log-{rank}").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"{who} ended with code {codes[rank]}: {words[-1] if words else 'it said nothing'} (all of it: {folder})"
