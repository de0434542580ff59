"""A tune job lets the plugin of its base's engine get ready; whoever has no engine is not asked."""

from __future__ import annotations

from typing import Any

import pytest

from cbtrun.plugins.local_models import engine_early
from cbtrun.plugins.local_models.engine_early import EarlyStart, offer_early_start, this_process_waits


def test_the_plugin_of_the_base_is_asked_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_early, "_plugins", {})
    told: list[Any] = []
    offer_early_start("mine", EarlyStart(lambda *given: told.append(given), lambda: told.append("waits")))
    engine_early.engine_early("other", "folder", {})
    assert not told
    engine_early.engine_early("mine", "folder", {"dtype": "float32"})
    this_process_waits()
    assert told == [("folder", {"dtype": "float32"}), "waits"]


def test_vllm_offers_it_and_starts_nothing_where_it_cannot_run() -> None:
    from cbtrun.plugins.vllm_models import early, requirements

    options = {"tensor_parallel_size": 1, "batch_invariant": False}
    assert "vllm" in engine_early._plugins
    if requirements.lacking(options):
        engine_early.engine_early("vllm", "folder", options)
        this_process_waits()
        assert (early._environment, early._importing) == (None, None)
