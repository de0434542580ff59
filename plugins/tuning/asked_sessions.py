"""The sessions that a training asks for, from its own thread, of the one in which models are talked to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from cbtrun.plugin import ControlReward, HeldStep, StopRun, TrainingStep, stop_reason, write_atomically
from cbtrun.plugins.controls.spoiled_sessions import controls_of
from cbtrun.plugins.tuning.grpo_stops import controls_due
from cbtrun.plugins.tuning.held_rows import held_step
from cbtrun.plugins.tuning.held_sessions import Held, HeldSessions
from cbtrun.plugins.tuning.session_rewards import Judges

T = TypeVar("T")
WORDS = "sessions-{step:05d}.words.json"
"""The sessions of a step, in the adapter's folder; `cbtrun forget` removes `*.words.json`."""


@dataclass
class AskedSessions:
    """`Rollouts` of one training."""

    loop: asyncio.AbstractEventLoop
    sessions: HeldSessions
    judges: Callable[[AsyncExitStack], Awaitable[Judges]]
    """Opens the raters."""
    options: Mapping[str, Any]
    """The block's."""
    seed: int
    folder: Path
    """The adapter's."""
    pad: int
    """A token for rows that cannot be learnt from."""
    terms: Sequence[str] = ()
    """Words of the reward's rubric."""
    ended: bool = False
    """Set when nobody waits for the training any more."""

    def hold(self, step: int, policy: Path, digest: str) -> HeldStep:
        """The rated sessions of a step. Called in the training's thread."""
        return self._there(self._step(step, policy, digest))

    def why_stop(self, steps: Sequence[TrainingStep]) -> str:
        """Why a declared stop ends the training here."""
        return stop_reason(steps, self.options["stop"], self.options["steps"])

    def _there(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine gives in the models' thread. Raises StopRun where that one has ended."""
        if self.ended:
            work.close()
            raise StopRun("the run is stopping")
        try:
            return asyncio.run_coroutine_threadsafe(work, self.loop).result()
        except (CancelledError, asyncio.CancelledError):
            raise StopRun("the run is stopping") from None

    async def _step(self, step: int, policy: Path, digest: str) -> HeldStep:
        held = await self.sessions.step(step, policy, digest, self.judges)
        told = [one.session.model_dump(mode="json") for one in held if one.session is not None]
        write_atomically(self.folder / WORDS.format(step=step), json.dumps(told, ensure_ascii=False) + "\n")
        rows = held_step(held, step, self.pad)
        if not controls_due(step, self.options["controls"]):
            return rows
        return replace(rows, controls=await self._controls(held, step))

    async def _controls(self, held: Sequence[Held], step: int) -> tuple[ControlReward, ...]:
        """What the reward gives some sessions of a step that were spoiled."""
        wanted = self.options["controls"]
        # One of each group before a second of any.
        chosen = sorted((one for one in held if one.session is not None), key=lambda one: one.place.draw)
        plain = {one.session.id: one for one in chosen[: wanted["sessions"]] if one.session is not None}
        sessions = [one.session for one in plain.values() if one.session is not None]
        made = controls_of(sessions, wanted["kinds"], self.seed, self.terms)
        found = await asyncio.gather(
            *(self.sessions.rewarded(control, plain[session.id].place.group) for _, session, control in made)
        )
        return tuple(
            ControlReward(kind=kind, session=session.id, plain=plain[session.id].earned.rewarded, reward=reward)
            for (kind, session, _), reward in zip(made, found, strict=True)
        )
