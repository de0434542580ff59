"""The lock file of a package beside the derived one: what it says of the study, the code and the files it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from cbtrun.packaging.parts import RUN, STUDY
from cbtrun.study.weights import WHERE, is_folder_name

OF_THE_HOUR = frozenset({"started", "finished", "cbtrun", "python", "platform", "packages", "hardware", "where", "place", "replayed", "plugins"})  # fmt: skip
"""What nothing derives: when and on what it ran, and which of it was taken from a journal. Other code is told apart."""
LOCK = "study.lock.yaml"


def lock_places(told: Mapping[str, Any], made: Mapping[str, Any]) -> Iterator[str]:
    """Where a package's lock file says otherwise than the derived one, with both values."""
    for key in sorted({*told, *made} - OF_THE_HOUR - {"spec"}):
        yield from _places(told.get(key), made.get(key), (key,))
    yield from _places(_digest(told), _digest(made), ("spec", "digest"))


def changed_sources(package: Path, told: Mapping[str, Any]) -> Iterator[str]:
    """Files of the study that are not those that the run was made from, as its lock file has their digests."""
    spec = told.get("spec")
    sources = spec.get("sources") if isinstance(spec, Mapping) else None
    for name, digest in sources.items() if isinstance(sources, Mapping) else ():
        path = package / str(name)
        if str(name).startswith(f"{STUDY}/") and path.is_file() and sha256(path.read_bytes()).hexdigest() != digest:
            yield str(name)


def other_code(told: Mapping[str, Any]) -> list[str]:
    """Plugins of ours whose code is other here than where the run was made."""
    from cbtrun.errors import CbtrunError
    from cbtrun.registry import load_registry

    registry, plugins = load_registry(), told.get("plugins")
    found = []
    for name, digest in plugins.items() if isinstance(plugins, Mapping) else ():
        try:
            if digest != registry.digest(str(name)):
                found.append(str(name))
        except CbtrunError:  # a plugin of the study's own
            continue
    return sorted(found)


def _digest(lock: Mapping[str, Any]) -> Any:
    spec = lock.get("spec")
    return spec.get("digest") if isinstance(spec, Mapping) else None


def _places(told: Any, made: Any, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(told, Mapping) and isinstance(made, Mapping):
        for key in dict.fromkeys([*told, *made]):
            yield from _places(told.get(key), made.get(key), (*path, str(key)))
    elif told != made and not _is_where_weights_lay(told, path):
        yield f"{'/'.join(path)}: {str(told)[:60]!r} in the package, {str(made)[:60]!r} derived"


def _is_where_weights_lay(told: Any, path: tuple[str, ...]) -> bool:
    """A folder of the machine that made it, which no other machine has."""
    return path[:2] == ("resolved", "models") and path[-1] in WHERE and (told is None or is_folder_name(str(told)))


SHOWN = f"{RUN}/{LOCK}"
