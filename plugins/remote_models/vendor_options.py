"""What the plugins of vendors' own SDKs share: their options, and the word about an extra that is not installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cbtrun.plugin import TERMS_OPTIONS, ModelError
from cbtrun.plugins.remote_models.openai_options import SCHEMA as OPENAI

if TYPE_CHECKING:
    from cbtrun.plugin import Json

SHARED = (
    "temperature",
    "top_p",
    "max_tokens",
    "stop",
    "thinking",
    "extra_body",
    "answers",
    "timeout_seconds",
    "connect_seconds",
    "max_reply_mib",
)


def vendor_schema(what: str, url: str, key: str, example: str) -> Json:
    """Options of a vendor's plugin. url, key: address and the key's variable where the study does not say."""
    options = OPENAI["properties"]
    return {
        "type": "object",
        "description": f"{what} through the vendor's own SDK, an optional extra.",
        "required": ["model"],
        "additionalProperties": False,
        "x-remote": True,
        "x-batches": urlsplit(url).hostname,
        "properties": {
            "model": {"type": "string", "minLength": 1, "description": f"The model's name, {example}."},
            "base_url": {
                "type": "string",
                "minLength": 1,
                "x-env": True,
                "default": url,
                "description": "Address of the API.",
            },
            "api_key_env": {**options["api_key_env"], "default": key},
            **{name: options[name] for name in SHARED},
            **TERMS_OPTIONS,
        },
    }


def missing_extra(name: str) -> ModelError:
    """The error about an SDK that is not installed."""
    return ModelError(_without_sdk(name))


def lacking_sdk(name: str, package: str) -> list[str]:
    """What to say before anything runs where the SDK, a package by its name on PyPI, is not installed."""
    try:
        version(package)
    except PackageNotFoundError:
        return [_without_sdk(name)]
    return []


def _without_sdk(name: str) -> str:
    return f"`using: {name}` needs the vendor's SDK, an optional extra; pip install 'cbtrun[{name}]'"
