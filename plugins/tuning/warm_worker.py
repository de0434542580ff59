"""A training process that stays for the next job: its libraries are imported, its base lies in memory.

Starting Python, importing torch and TRL and greeting the GPU take longer than many a training of a small model. A process takes
one job after the other as long as they are alike in all that a library keeps for the whole process (`alike`); each job gets a
base that nobody has touched. One that fails or is killed is not used again, and one that waits ends before an engine opens.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import StageError, StopRun, digest
from cbtrun.plugins.local_models.gpu_tenants import take_up_work, wait_for_work
from cbtrun.plugins.tuning import worker_processes
from cbtrun.plugins.tuning.disk_full import CODE, full_words
from cbtrun.plugins.tuning.tune_worker import MODULE

if TYPE_CHECKING:
    from cbtrun.plugins.local_models.model_files import ModelFiles
    from cbtrun.plugins.tuning.sft_watch import Tell

WAITS_SECONDS = 60.0
"""How long a process waits for another job."""
OF_ONE_JOB = (
    "base",
    "corpus",
    "seeds",
    "lora",
    "epochs",
    "max_steps",
    "learning_rate",
    "schedule",
    "warmup_ratio",
    "weight_decay",
)
"""Options that no library keeps beyond a job."""


def alike(files: ModelFiles, options: Mapping[str, Any]) -> str:
    """Jobs for which this is the same may follow each other in one process."""
    kept = {name: value for name, value in options.items() if name not in OF_ONE_JOB}
    return digest([files.source, files.revision, files.digest, kept])


def may_follow(options: Mapping[str, Any]) -> bool:
    """Whether another job may come after this one.

    What is compiled for its shapes would be other code for the next, and a tracker would take the next for the same run.
    """
    return not options["compile"] and not options["report_to"]


@dataclass
class WarmWorker:
    """A process on one GPU."""

    gpus: tuple[str, ...]
    alike: str
    process: worker_processes.Process
    place: Path
    """Where what it says before its first job goes."""
    timer: threading.Timer | None = None

    def train(self, work: Path, tell: Tell) -> None:
        """Have it do the job in a folder. Raises StageError when it fails or is killed, StopRun when the disk is full."""
        done = False
        try:
            with suppress(OSError):  # it is gone: its end is told below
                assert self.process.stdin is not None
                self.process.stdin.write(f"{work}\n".encode())
                self.process.stdin.flush()
            for line in self.process.stdout or ():
                told = json.loads(line)
                if done := told == "done":
                    break
                tell(*told)
            if not done:
                self._refuse(work)
        finally:
            if not done:
                self.end()

    def _refuse(self, work: Path) -> None:
        self.process.wait()
        if self.process.returncode == CODE:
            raise StopRun(full_words(work.parent))
        if not (work / "log-0").exists():  # it has not come as far as its job
            shutil.copyfile(self.place / "log-0", work / "log-0")
        raise StageError(worker_processes.reason([self.process], work))

    def wait(self) -> None:
        """Stay for another job, for a while."""
        wait_for_work(self.end)
        self.timer = threading.Timer(WAITS_SECONDS, self._end_if_waiting)
        self.timer.daemon = True
        self.timer.start()

    def take(self) -> bool:
        """Whether it still waits, and is there; it has work now."""
        if self.timer is not None:
            self.timer.cancel()
        return take_up_work(self.end) and self.process.poll() is None

    def end(self) -> None:
        """End it and wait until it is gone."""
        worker_processes.end_processes([self.process])
        shutil.rmtree(self.place, ignore_errors=True)

    def _end_if_waiting(self) -> None:
        if take_up_work(self.end):
            self.end()


_workers: dict[tuple[str, ...], WarmWorker] = {}
_lock = threading.Lock()


def warm_worker(gpus: Sequence[str], wanted: str) -> WarmWorker:
    """A process on these GPUs for a job: the one that waits there, if the job before was alike, else a new one.

    The caller has these GPUs to itself.
    """
    own = tuple(gpus)
    with _lock:
        found = _workers.pop(own, None)
    if found is not None and found.take():
        if found.alike == wanted:
            return found
        found.end()
    place = Path(tempfile.mkdtemp(prefix="cbtrun-tune-"))
    return WarmWorker(own, wanted, worker_processes.start(MODULE, place, own), place)


def keep(worker: WarmWorker) -> None:
    """Let a process wait for another job on its GPUs."""
    with _lock:
        _workers[worker.gpus] = worker
    worker.wait()
