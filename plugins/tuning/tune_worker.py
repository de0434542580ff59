"""One of the processes that train an adapter: `python -m cbtrun.plugins.tuning.tune_worker FOLDER`.

The folder holds what `write_plan` left. Process 0 prints its progress, and leaves the adapter and its log there. Where the
folder is empty the process imports what a training needs, and takes one folder after the other from its standard input.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import CbtrunError
from cbtrun.plugins.local_models.model_files import ModelFiles, load_tokenizer
from cbtrun.plugins.tuning.disk_full import CODE, is_full
from cbtrun.plugins.tuning.sft_base import Bases

if TYPE_CHECKING:
    from cbtrun.plugins.tuning.trained import Trained

MODULE = "cbtrun.plugins.tuning.tune_worker"
PLAN, ROWS, HELD_OUT, ADAPTER, TRAINED = "plan.json", "rows.jsonl", "held-out.jsonl", "adapter", "trained.json"


@dataclass(frozen=True)
class WorkPlan:
    """What all processes of a training must know, but its rows."""

    files: ModelFiles
    options: Mapping[str, Any]
    seed: int
    devices: int
    checkpoints: str
    """Folder of the checkpoints."""


def write_plan(folder: Path, plan: WorkPlan, rows: Sequence[Any], held_out: Sequence[Any]) -> None:
    """Leave in the folder what the processes need."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PLAN).write_text(json.dumps(asdict(plan)), encoding="utf-8")
    for name, some in ((ROWS, rows), (HELD_OUT, held_out)):
        with (folder / name).open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(vars(row)) + "\n" for row in some)


def read_plan(folder: Path) -> tuple[WorkPlan, list[Any], list[Any]]:
    """The plan, the rows to train on, and those to look at."""
    from cbtrun.plugins.tuning.sft_training import row_kind

    told = json.loads((folder / PLAN).read_text(encoding="utf-8"))
    plan = WorkPlan(**{**told, "files": ModelFiles(**told["files"])})
    kind = row_kind(plan.options)
    rows, held_out = (
        [kind(**{name: tuple(ids) for name, ids in json.loads(line).items()}) for line in (folder / name).open()]
        for name in (ROWS, HELD_OUT)
    )
    return plan, rows, held_out


def main(folder: Path) -> int:
    """Train as the plan says, or as the plans say that come. Gives the exit code."""
    if not (folder / PLAN).exists():
        return _serve()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    code = _job(folder, _teller(), Bases())
    if not code:
        _leave_the_group()
    return code


def _serve() -> int:
    """One job after the other, until one fails or nobody is there any more."""
    plans: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(plans,), daemon=True).start()
    tell, bases = _teller(), Bases()
    _import_all()
    while True:
        folder = Path(plans.get())
        _log_to(folder / "log-0")
        code = _job(folder, tell, bases)
        if code:
            return code
        _forget_the_job()
        tell("done")


def _import_all() -> None:
    """What every training imports; the GPU is greeted, too."""
    import peft  # noqa: F401
    import torch
    from trl.trainer.sft_trainer import SFTTrainer  # noqa: F401

    from cbtrun.plugins.tuning import sft_training  # noqa: F401

    if torch.cuda.is_available():
        torch.zeros(1, device="cuda")


def _log_to(path: Path) -> None:
    """What libraries print goes to this job's log."""
    with path.open("wb") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)


def _forget_the_job() -> None:
    """Give back what the job held, and what Accelerate keeps for the whole process."""
    import gc

    import torch
    from accelerate.state import AcceleratorState, GradientState

    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _job(folder: Path, tell: Callable[..., None], bases: Bases) -> int:
    """The exit code for one plan."""
    rank = int(os.environ["RANK"])
    try:
        trained = _train(folder, tell, bases)
        if rank == 0:
            _leave(folder, trained)
    except Exception as error:
        if is_full(error):
            return CODE  # there may be no room for a word more
        if not isinstance(error, CbtrunError):
            raise
        message = {"message": str(error)}
        (folder / f"failed-{rank}.json").write_text(json.dumps(message), encoding="utf-8")
        return 2
    return 0


def _train(folder: Path, tell: Callable[[int, int, str], None], bases: Bases) -> Trained:
    import torch

    from cbtrun.plugins.tuning.sft_training import train

    plan, rows, held_out = read_plan(folder)
    if plan.options["device"] != "cpu" and torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    base, tokenizer = bases.fresh(plan.files, plan.options), load_tokenizer(plan.files)
    place = Path(plan.checkpoints)
    return train(base, tokenizer, rows, held_out, plan.options, plan.seed, place, tell, plan.devices)


def _leave_the_group() -> None:
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()


def _leave(folder: Path, trained: Trained) -> None:
    from cbtrun.plugins.tuning.adapter_folder import save_weights

    save_weights(trained, folder / ADAPTER)
    (folder / TRAINED).write_text(json.dumps(trained.told()), encoding="utf-8")


def _end_with_parent() -> None:
    """End this process when whoever started it is gone: its end of the pipe closes."""
    while os.read(0, 1):
        pass
    os._exit(1)


def _listen(plans: queue.SimpleQueue[str]) -> None:
    """Take folders from who started this process, and end when it is gone."""
    for line in sys.stdin:
        plans.put(line.strip())
    os._exit(1)


def _teller() -> Callable[..., None]:
    """Progress goes to the standard output as it was; whatever else is printed goes to the log."""
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(*words: int | str) -> None:
        told.write(json.dumps(words if len(words) > 1 else words[0]) + "\n")
        told.flush()

    return tell


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
