"""What `cbtrun plugins` says: every plugin with what it does, or one with its options."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cbtrun.contract.marks import is_internal
from cbtrun.documents.schema_words import did_you_mean
from cbtrun.errors import PluginError

if TYPE_CHECKING:
    from cbtrun.registry import Registry

WIDTH = 110  # characters of a line


def plugin_lines(name: str | None) -> Iterator[str]:
    """The list, or what the plugin of a name does and takes. Raises PluginError for a name that no plugin has."""
    from cbtrun.registry import load_registry

    registry = load_registry()
    listing = dict(registry.listing())
    if name is None:
        yield from (f"{one:<24} {', '.join(stages) or 'watches'}" for one, stages in listing.items())
        return
    if name not in listing:
        raise PluginError(
            f"no plugin is called '{name}'{did_you_mean(name, listing)}; `cbtrun plugins` lists those that are installed"
        )
    yield from _one(registry, name, listing[name])


def _one(registry: Registry, name: str, stages: list[str]) -> Iterator[str]:
    about = _first_paragraph(getattr(registry.plugin(name), "__doc__", None))
    yield f"{name}: {about}" if about else name
    if not stages:
        yield "It does no stage: no study names it."
    for stage in stages:
        yield ""
        yield f"{stage}: {{using: {name}, ...}}"
        yield from _options(registry.schema(stage, name))
    yield ""
    yield "Every key with its values: docs/reference/study.md, or your editor (`cbtrun new study` sets it up)."


def _options(schema: dict[str, Any]) -> Iterator[str]:
    """A line an option, those that must be given first."""
    required = set(schema.get("required", ()))
    options: dict[str, Any] = schema.get("properties", {})
    if not options:
        yield "  no options"
    for key in sorted(options, key=lambda key: key not in required):
        told = options[key] if isinstance(options[key], dict) else {}
        if is_internal(told):
            continue
        default = f" [default: {_short(told['default'])}]" if "default" in told else ""
        must = " (required)" if key in required else ""
        words = f"{told.get('description', '')}{default}{must}"
        yield from textwrap.wrap(words, WIDTH, initial_indent=f"  {key:<18} ", subsequent_indent=" " * 21) or [
            f"  {key}"
        ]


def _short(value: Any) -> str:
    """A default in one line; a text of ours that fills pages is not shown."""
    text = "empty" if value in ("", [], {}) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 40 else "a text of ours"


def _first_paragraph(doc: str | None) -> str:
    return re.sub(r"\s+", " ", (doc or "").strip().split("\n\n")[0])
