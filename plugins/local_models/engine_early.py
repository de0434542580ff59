"""The engine that will serve what is tuned gets ready while the training runs: who tunes asks, who has engines answers.

Tuning does not import the engine's plugin: what decides an adapter is the code that a training imports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class EarlyStart:
    """What a plugin with engines can do before any is asked for. Both return at once."""

    start: Callable[[str, Mapping[str, Any]], None]
    """Given the folder or name of a base and the options of its block: start what an engine for it will need."""
    import_meanwhile: Callable[[], None]
    """This process waits for another: import what an engine needs of it, if one was started."""


_plugins: dict[str, EarlyStart] = {}


def offer_early_start(using: str, offered: EarlyStart) -> None:
    """Say what the plugin of this name can do."""
    _plugins[using] = offered


def engine_early(using: str, source: str, options: Mapping[str, Any]) -> None:
    """Start what an engine for this base needs, where its plugin can. using, options: of the base's block."""
    if using in _plugins:
        _plugins[using].start(source, options)


def this_process_waits() -> None:
    """Let what was started go on in this process: it has nothing to do until a training is done."""
    for plugin in _plugins.values():
        plugin.import_meanwhile()
