"""Weights of adapters in a package, held against the digests that the journal's replies rest on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cbtrun.contract.digests import digest, file_digest
from cbtrun.contract.records import Adapter
from cbtrun.errors import CbtrunError
from cbtrun.files.run_folder import read_records
from cbtrun.packaging.compared import FileFound
from cbtrun.packaging.parts import RUN

SETTINGS, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
"""What the digest of an adapter is made over, as PEFT names the files."""


def other_weights(package: Path, derived: Path) -> Iterator[FileFound]:
    """Each adapter of a package whose weights or settings are not those that the journal names, or that it names nowhere.

    derived: the run folder that was made from the package's journal, which puts back what each training wrote.
    """
    known = {one.folder: one for path in sorted(derived.glob("adapters/*/adapters.jsonl")) for one in _adapters(path)}
    for path in sorted((package / RUN / "adapters").rglob(WEIGHTS)):
        folder = path.parent.relative_to(package / RUN).as_posix()
        one, settings = known.get(folder), path.parent / SETTINGS
        if one is None:
            yield FileFound(f"{RUN}/{folder}", "differs", ("weights of no adapter that the journal names",))
        elif not settings.is_file() or one.digest != _digest(path.parent):
            found = _digest(path.parent)[:16] if settings.is_file() else f"no {SETTINGS}"
            told = f"the journal's replies are those of {one.name} with digest {one.digest[:16]}, here is {found}"
            yield FileFound(f"{RUN}/{folder}", "differs", (told,))


def _digest(folder: Path) -> str:
    return digest([[name, file_digest(folder / name)] for name in (SETTINGS, WEIGHTS)])


def _adapters(path: Path) -> list[Adapter]:
    try:
        return read_records(path, Adapter)
    except CbtrunError:
        return []
