"""Stages that run side by side, each in a thread: tune jobs that keep a GPU of their own busy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

from cbtrun.study.checks import block_context

if TYPE_CHECKING:
    from cbtrun.registry import Registry
    from cbtrun.study.graph import Stage
    from cbtrun.study.spec import Study


@dataclass(frozen=True)
class Wave:
    """Stages that may be begun together."""

    stages: tuple[Stage, ...]
    at_once: int = 1
    """How many of them may run at a time."""


def waves(stages: Sequence[Stage], study: Study, registry: Registry) -> Iterator[Wave]:
    """All stages in their order: neighbouring jobs of one plugin together if it may run several, others alone."""
    wave: list[Stage] = []
    for stage in stages:
        if wave and not _joins(stage, wave):
            yield _wave(wave, study, registry)
            wave = []
        wave.append(stage)
    if wave:
        yield _wave(wave, study, registry)


def run_side_by_side(work: Sequence[Callable[[], None]], at_once: int, stop: Callable[[], None]) -> None:
    """Do all of it, so much at once.

    What raises, or an interrupt here, ends the rest: `stop` is called once and is to make what is under way return; what
    has not begun is left, what was under way is waited for, and the error is raised.
    """
    broken = Event()

    def unless_broken(one: Callable[[], None]) -> None:
        if not broken.is_set():
            try:
                one()
            except BaseException:
                broken.set()  # before this thread takes the next
                raise

    pool = ThreadPoolExecutor(max_workers=at_once)
    running = [pool.submit(unless_broken, one) for one in work]
    try:
        for one in wait(running, return_when=FIRST_EXCEPTION).done:
            one.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        stop()
        wait(running)
        raise
    pool.shutdown()


def _joins(stage: Stage, wave: Sequence[Stage]) -> bool:
    alike = stage.block == wave[0].block == "tune" and stage.options["using"] == wave[0].options["using"]
    return alike and not {one.id for one in wave} & {*stage.needs}


def _wave(stages: Sequence[Stage], study: Study, registry: Registry) -> Wave:
    if len(stages) == 1:
        return Wave(tuple(stages))
    contexts = [block_context(study, stage.block, stage.name) for stage in stages]
    at_once = min(registry.at_once(stages[0].options["using"], context) for context in contexts)
    return Wave(tuple(stages), min(at_once, len(stages)))
