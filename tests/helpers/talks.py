"""The `dialogue` stage without a study around it: personas, models that say what a test tells them to, and what came out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cbtrun.calls.calls import CallDesk, OpenModels, Tally
from cbtrun.contexts import StageContext
from cbtrun.contract.models import Reply, Request
from cbtrun.contract.records import Adapter, Persona, Session, Situation
from cbtrun.errors import ModelError
from cbtrun.journal.journal import Journal
from cbtrun.plugins.dialogue import sessions as dialogue

DEFAULTS = {name: option["default"] for name, option in dialogue.SCHEMA["properties"].items() if "default" in option}


def persona(number: int) -> Persona:
    """A persona like no other."""
    return Persona(
        id=f"p{number}",
        name=f"Name{number}",
        age=30 + number,
        gender="woman",
        occupation="baker",
        living_situation="alone",
        presenting_problem="I feel low.",
        phq9=14,
        symptoms=("I wake at four",),
        situations=(Situation(event="a quarrel", thought="I am useless", feeling="sad", behaviour="went to bed"),),
        automatic_thoughts=("I am useless",),
        intermediate_beliefs=(),
        core_beliefs=("I am a failure",),
        distortions=("labelling",),
        history="",
        strengths=(),
        goals=(),
        engagement_style="open",
        disclosure_style="gradual",
        risk="none",
        speech="short",
    )


class Speaks:
    """A model that answers by a function of the request."""

    def __init__(self, answer: Callable[[Request], str], name: str) -> None:
        self.identity = {"answers": name}
        self.asked: list[Request] = []
        self.closed = 0
        self._answer = answer

    async def reply(self, request: Request) -> Reply:
        self.asked.append(request)
        await asyncio.sleep(0)
        return Reply(self._answer(request), finish="stop")

    async def close(self) -> None:
        self.closed += 1


def numbered(request: Request) -> str:
    """Words that tell the turn and the attempt."""
    return f"turn {request.draw.turn}, words {request.seed % 1000}"


class Inputs:
    """Two personas, and a tune job with two seeds."""

    def personas(self, _: str) -> list[Persona]:
        return [persona(1), persona(2)]

    def adapters(self, name: str) -> list[Adapter]:
        seeds = {"twice": (1, 2), "once": (7,)}
        if name not in seeds:
            raise ModelError(f"no adapters of '{name}'")
        return [Adapter(name=f"{name}@{s}", base="m", folder="f", digest=f"d{s}", seed=s) for s in seeds[name]]


class Stage:
    """A dialogue stage with models made for the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models: dict[str, Speaks] = {}
        self.opened: list[str] = []
        self.failures: list[Any] = []
        self.tally = Tally()

    def open(self, name: str) -> Any:
        self.opened.append(name)
        if name == "broken":
            raise ModelError("no such weights")
        return self.models.setdefault(name, Speaks(numbered, name))

    def run(self, arms: Mapping[str, Any], **options: Any) -> list[Session]:
        """The sessions of some arms; options beside `patient: patient` and `personas: eval`."""
        with Journal(self.folder / "journal.sqlite") as journal:
            context = StageContext(
                stage="sessions",
                name="",
                options={**DEFAULTS, "max_tokens": {"therapist": 96, "patient": 160}, "context": {"policy": "fail"}}
                | {"patient": "patient", "personas": "eval", "max_turns": 4, **options},
                study={"arms": arms, "tune": {"once": {}, "twice": {}, "lost": {}}},
                seed=1,
                folder=self.folder,
                inputs=Inputs(),  # type: ignore[arg-type]
                models=OpenModels(CallDesk(journal, 1, "sessions", self.tally), self.open),
                tell=lambda _done, _total, _detail: None,
            )
            self.failures = context.failures
            return dialogue.run_sessions(context)
