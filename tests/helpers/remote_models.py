"""The models of all three vendors, each at a server of the test's."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from cbtrun.contract.models import Model, ModelContext
from cbtrun.documents.schema import with_defaults
from cbtrun.keys.secrets import KeyRing
from cbtrun.plugins.remote_models import anthropic_messages, google_genai, openai_chat
from tests.helpers.chat_calls import KEY, QUICK

PLUGINS: dict[str, Any] = {"openai": openai_chat, "anthropic": anthropic_messages, "google": google_genai}


def _needs(vendor: str, module: str) -> Any:
    try:
        there = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        there = False
    return pytest.param(vendor, marks=pytest.mark.skipif(not there, reason=f"needs cbtrun[{vendor}]"))


VENDORS = ["openai", _needs("anthropic", "anthropic"), _needs("google", "google.genai")]
"""For `parametrize`."""


def model_of(
    vendor: str,
    url: str,
    key: str = KEY,
    allowed: tuple[str, ...] = ("127.0.0.1",),
    environ: dict[str, str] | None = None,
    **chosen: Any,
) -> Model:
    """A vendor's model at an address, with a key that may go to `allowed`."""
    block = {"model": "big", "base_url": url, "max_tokens": 50, "api_key_env": "A_KEY", **chosen}
    block["limits"] = {**QUICK, **chosen.get("limits", {})}
    options = with_defaults(block, PLUGINS[vendor].options_schema("models"))
    keys = KeyRing({"A_KEY": key, **(environ or {})}, {}, tuple(("A_KEY", host) for host in allowed))
    model: Model = PLUGINS[vendor].open_model(ModelContext("m", options, keys=keys))
    return model
