"""A training on another machine: its rows go there once, its progress, checkpoints and adapter come back as they are made.

There the training runs as it runs here, in processes of its own (tune_worker); what holds it looks for whole checkpoints and
sends them. A machine that is lost costs what was trained since the last one that came back.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cbtrun.plugin import (
    Files,
    Json,
    ModelError,
    Node,
    OpenedBy,
    SentFolder,
    StageError,
    Training,
    Workplace,
    digest,
    file_digest,
    files_digest,
    files_in,
    machines_elsewhere,
    write_files,
)
from cbtrun.plugins.local_models.elsewhere import named_elsewhere
from cbtrun.plugins.local_models.gpus import visible_gpus
from cbtrun.plugins.local_models.model_files import ModelFiles, find_model
from cbtrun.plugins.tuning.adapter_folder import COMPLETE, keep_only, last_checkpoint
from cbtrun.plugins.tuning.sft_watch import Tell
from cbtrun.plugins.tuning.tune_worker import ADAPTER, HELD_OUT, MODULE, PLAN, ROWS, TRAINED, WorkPlan

OPENER = "cbtrun.plugins.tuning.elsewhere:open_training"
SPEED = "speed.jsonl"
LOOK_SECONDS = 0.5


def seats_of(options: Mapping[str, Any], devices: int) -> int:
    """How many trainings of so many devices may go on side by side: by GPUs, on machines elsewhere without any by cores."""
    machines = machines_elsewhere()
    if machines is None:
        return len(visible_gpus(options)) // devices
    gpus = devices if visible_gpus(options) else 0
    return machines.seats(gpus, float(options["threads"] * devices))


def trained_elsewhere(place: Workplace, plan: WorkPlan, named: str, folder: Path, tell: Tell) -> Mapping[str, Any]:
    """What a training says of itself; its adapter is then in `folder/making`.

    `folder/work` holds what `write_plan` left. named: the base, as that machine finds it. Raises as a training here.
    """
    work = folder / "work"
    rows = f"rows-{digest([file_digest(work / name) for name in (ROWS, HELD_OUT)])}"
    gpus = plan.devices if visible_gpus(plan.options) else 0
    cpus = float(plan.devices if gpus else plan.options["threads"] * plan.devices)
    checkpoints = Path(plan.checkpoints)

    def newest() -> dict[str, SentFolder]:
        checkpoint = last_checkpoint(checkpoints)
        if checkpoint is None:
            return {}
        return {f"{digest([str(checkpoint)])[:16]}-{checkpoint.name}": SentFolder(str(checkpoint), ())}

    def asked() -> Json:
        return {
            "plan": json.loads(json.dumps(asdict(plan))),
            "named": named_elsewhere(named),
            "rows": rows,
            "checkpoint": next(iter(newest()), None),
            "seconds": place.checkpoint_seconds,
        }

    label = f"{folder.parent.name} ({folder.name})"
    opened_by = OpenedBy(
        OPENER, {}, key=f"training {label}", label=label, gpus=gpus, cpus=cpus, waits_for_cpus=not gpus
    )
    training = Training(opened_by, asked, lambda: {rows: SentFolder(str(work), (ROWS, HELD_OUT)), **newest()})
    told: Json = place.train(training, _taker(folder, checkpoints, tell), lambda: False)
    shutil.rmtree(work)
    return told


def _taker(folder: Path, checkpoints: Path, tell: Tell) -> Callable[[Json, Files], None]:
    """What takes the words and files that a training sends."""

    def take(word: Json, files: Files) -> None:
        if "step" in word:
            tell(word["step"], word["steps"], word["words"])
            return
        if files_digest(files) != word["digest"]:
            raise StageError(
                f"what came back of the training in {folder} is not what was sent; the same command goes on"
            )
        if "checkpoint" in word:
            _keep_checkpoint(checkpoints / word["checkpoint"], files)
        else:
            shutil.rmtree(folder / "making", ignore_errors=True)
            speed = files.get(SPEED)
            write_files(folder / "making", {name: content for name, content in files.items() if name != SPEED})
            if speed is not None:
                (folder / SPEED).write_bytes(speed)

    return take


def _keep_checkpoint(checkpoint: Path, files: Files) -> None:
    """Write a checkpoint as a training here leaves it: marked as whole last, those before it gone."""
    shutil.rmtree(checkpoint, ignore_errors=True)
    write_files(checkpoint, {name: content for name, content in files.items() if name != COMPLETE})
    keep_only(checkpoint)


def open_training(_: Json, node: Node) -> TrainingThere:
    """A training on the machine that this is called on."""
    return TrainingThere(node)


@dataclass
class TrainingThere:
    """One training at work."""

    node: Node

    @property
    def facts(self) -> Json:
        """Nothing is to be known of it."""
        return {}

    async def make(self, asked: Json, tell: Callable[[Json, Files], None]) -> Json:
        """Train; gives what the training says of itself, once its adapter was told."""
        work = self.node.work_folder()
        plan = _plan_here(asked, work)
        self._lay_out(asked, plan, work)
        running = asyncio.ensure_future(asyncio.to_thread(_train, plan, work, tell))
        sent, at = asked["checkpoint"] or "", time.monotonic()
        while not running.done():
            await asyncio.wait([running], timeout=LOOK_SECONDS)
            if time.monotonic() - at >= asked["seconds"]:
                newest = await asyncio.to_thread(_send_newest, Path(plan.checkpoints), sent, tell)
                sent, at = newest or sent, time.monotonic() if newest else at
        running.result()
        files = files_in(work / ADAPTER)
        if (work / SPEED).exists():
            files[SPEED] = (work / SPEED).read_bytes()
        tell({"adapter": True, "digest": files_digest(files)}, files)
        told: Json = json.loads((work / TRAINED).read_text(encoding="utf-8"))
        shutil.rmtree(work, ignore_errors=True)
        return told

    def _lay_out(self, asked: Json, plan: WorkPlan, work: Path) -> None:
        """Put the plan, the rows and the last checkpoint where the processes of a training look for them."""
        (work / PLAN).write_text(json.dumps(asdict(plan)), encoding="utf-8")
        for name in (ROWS, HELD_OUT):
            shutil.copyfile(Path(self.node.folder_of(asked["rows"])) / name, work / name)
        if asked["checkpoint"]:
            name = "checkpoint-" + asked["checkpoint"].rpartition("-")[2]
            shutil.copytree(self.node.folder_of(asked["checkpoint"]), Path(plan.checkpoints) / name)

    async def close(self) -> None:
        """The processes of a training end with this one."""


def _plan_here(asked: Json, work: Path) -> WorkPlan:
    """The plan, with the base and the checkpoints as they are on this machine. Raises ModelError for another base."""
    told = WorkPlan(**{**asked["plan"], "files": ModelFiles(**asked["plan"]["files"])})
    here = find_model(asked["named"], told.files.revision)
    if here.digest != told.files.digest:
        raise ModelError(
            f"the weights of '{asked['named']}' on this machine are not those of the machine that runs the study"
        )
    return replace(told, files=here, checkpoints=str(work / "checkpoints"))


def _train(plan: WorkPlan, work: Path, tell: Callable[[Json, Files], None]) -> None:
    from cbtrun.plugins.tuning.sft_base import check_disk
    from cbtrun.plugins.tuning.tune_memory import check_memory
    from cbtrun.plugins.tuning.worker_processes import run_together

    check_memory(plan.files.source, plan.options, plan.devices)
    check_disk(work, plan.files.source, plan.options)

    def told(step: int, steps: int, words: str) -> None:
        tell({"step": step, "steps": steps, "words": words}, {})

    run_together(MODULE, work, plan.devices, visible_gpus(plan.options), told)


def _send_newest(checkpoints: Path, sent: str, tell: Callable[[Json, Files], None]) -> str:
    """Send the newest whole checkpoint, if it is another than was sent last; gives its name, or nothing."""
    with suppress(OSError):  # the training took it away meanwhile: the next look finds a newer one
        whole = [path for path in checkpoints.glob("checkpoint-*") if (path / COMPLETE).exists()]
        newest = max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
        if newest is not None and newest.name != "checkpoint-" + sent.rpartition("-")[2]:
            files = files_in(newest)
            if (newest / COMPLETE).exists():
                tell({"checkpoint": newest.name, "digest": files_digest(files)}, files)
                return newest.name
    return ""
