"""Adapters that a training makes one after the other: each leaves the engine with the last model that speaks with it."""

from __future__ import annotations

import asyncio
from typing import Any

from cbtrun.plugins.vllm_models.engine import Engine
from cbtrun.plugins.vllm_models.shared_engine import SharedEngine


class Served:
    """What vLLM's engine would be told."""

    def __init__(self) -> None:
        self.removed: list[int] = []

    async def remove_lora(self, number: int) -> bool:
        self.removed.append(number)
        return True


def speaking(*digests: str) -> tuple[SharedEngine, Served, Engine]:
    served = Served()
    engine = Engine(served)
    for number, digest in enumerate(digests, start=1):
        engine._adapters[digest] = number
    shared = SharedEngine("m", {}, (), users=len(digests) + 1)
    shared._engine = engine
    shared.speaking.update(digests)
    return shared, served, engine


def test_the_adapter_of_the_last_step_leaves_when_the_next_speaks() -> None:
    shared, served, engine = speaking("first", "second")
    asyncio.run(shared.leave("first"))
    assert served.removed == [1]
    assert list(engine._adapters) == ["second"]
    assert shared.users == 2  # the second policy and the patient


def test_an_adapter_that_another_arm_speaks_with_stays() -> None:
    shared, served, _ = speaking("same", "same")
    asyncio.run(shared.leave("same"))
    assert served.removed == []


def test_a_model_without_an_adapter_takes_none_with_it() -> None:
    shared, served, _ = speaking("first")
    asyncio.run(shared.leave())
    assert served.removed == []


def test_no_number_is_given_to_two_adapters(monkeypatch: Any) -> None:
    import sys
    from types import SimpleNamespace

    asked: list[tuple[str, int]] = []
    monkeypatch.setitem(
        sys.modules,
        "vllm.lora.request",
        SimpleNamespace(LoRARequest=lambda name, number, _: asked.append((name, number))),
    )
    engine = Engine(Served())
    engine._lora("folder", "first")
    asyncio.run(engine.forget("first"))
    engine._lora("folder", "second")
    engine._lora("folder", "second")
    assert asked == [("first", 1), ("second", 2), ("second", 2)]
