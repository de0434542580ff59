"""Which models are open at once: engines in turn where they do not fit, each opened once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cbtrun.calls.calls import CallDesk, OpenModels, Tally
from cbtrun.contexts import StageContext
from cbtrun.contract.models import EngineShare
from cbtrun.contract.records import Session
from cbtrun.journal.journal import Journal
from cbtrun.plugins.dialogue import sessions as dialogue
from tests.helpers.talks import DEFAULTS, Inputs, Speaks, numbered


class Machine:
    """A GPU that refuses what does not fit, and notes what was opened."""

    def __init__(self, folder: Path, engines: Mapping[str, tuple[str, float]]) -> None:
        self.folder = folder
        self.engines = engines
        """Model -> the engine that serves it, and its share of the memory."""
        self.open: list[str] = []
        """Models that are open now."""
        self.loads: list[str] = []
        """Engines in the order in which they were loaded."""
        self.most = 0.0

    def engine_of(self, name: str) -> EngineShare | None:
        return EngineShare(*self.engines[name]) if name in self.engines else None

    def open_model(self, name: str) -> Speaks:
        machine = self
        key = self.engines[name][0] if name in self.engines else ""
        if key and key not in {self.engines[one][0] for one in self.open}:
            self.loads.append(key)
        if key:
            self.open.append(name)
        shares = {self.engines[one] for one in self.open}
        self.most = max(self.most, sum(memory for _, memory in shares))

        class Served(Speaks):
            async def close(self) -> None:
                if key:
                    machine.open.remove(name)

        return Served(numbered, name)

    def run(self, arms: Mapping[str, Any], *, concurrency: int = 256, **options: Any) -> list[Session]:
        """The sessions of some arms."""
        with Journal(self.folder / "journal.sqlite") as journal:
            context = StageContext(
                stage="sessions",
                name="",
                options={**DEFAULTS, "max_tokens": {"therapist": 96, "patient": 160}, "context": {"policy": "fail"}}
                | {"patient": "patient", "personas": "eval", "max_turns": 4, **options},
                study={"arms": arms, "tune": {}},
                seed=1,
                folder=self.folder,
                inputs=Inputs(),  # type: ignore[arg-type]
                models=OpenModels(CallDesk(journal, 1, "sessions", Tally()), self.open_model, self.engine_of),
                tell=lambda _done, _total, _detail: None,
                concurrency=concurrency,
            )
            sessions = list(dialogue.run_sessions(context))
            assert context.failures == []
            return sessions


def arms_of(*therapists: str, **more: Any) -> dict[str, Any]:
    """An arm for each therapist."""
    return {f"arm{place}": {"therapist": name, **more} for place, name in enumerate(therapists)}


@pytest.mark.parametrize("concurrency", [1, 3, 256])
def test_each_base_is_loaded_once_though_its_arms_stand_apart(tmp_path: Path, concurrency: int) -> None:
    machine = Machine(tmp_path, {"a": ("A", 0.9), "a+": ("A", 0.9), "b": ("B", 0.9), "c": ("C", 0.9)})
    sessions = machine.run(arms_of("a", "b", "c", "a+"), concurrency=concurrency)
    assert sorted(machine.loads) == ["A", "B", "C"]
    assert machine.most <= 1
    assert [session.arm for session in sessions] == [f"arm{place}" for place in (0, 0, 1, 1, 2, 2, 3, 3)]
    assert machine.open == []


def test_engines_that_fit_beside_each_other_are_open_together(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {"a": ("A", 0.45), "patient": ("P", 0.45)})
    machine.run(arms_of("a", "a"))
    assert (machine.loads, machine.most) == (["A", "P"], 0.9)


def test_a_patient_s_engine_stays_open_from_arm_to_arm(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {"a": ("A", 0.5), "b": ("B", 0.5), "patient": ("P", 0.5)})
    machine.run(arms_of("a", "b"))
    assert sorted(machine.loads) == ["A", "B", "P"]
    assert machine.most == 1.0


def test_engines_that_every_two_arms_share_crosswise_never_wait_for_each_other(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {name: (name.upper(), 0.5) for name in ("a", "b", "p", "q")})
    crossed = {
        f"{therapist}{patient}": {"therapist": therapist, "patient": patient} for therapist in "ab" for patient in "pq"
    }
    assert len(machine.run(crossed)) == 8
    assert machine.most <= 1.0


def test_what_does_not_fit_even_alone_is_left_to_the_engine_to_refuse(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {"a": ("A", 0.9), "patient": ("P", 0.9)})
    assert len(machine.run(arms_of("a"))) == 2
    assert machine.most == 1.8
