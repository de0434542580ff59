"""The cards of a package beside those that its derived run gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cbtrun.cards.of_run import cards_of_run
from cbtrun.errors import CbtrunError
from cbtrun.files.run_folder import RunFolder
from cbtrun.packaging.compared import FileFound
from cbtrun.packaging.opened import Opened
from cbtrun.packaging.parts import CARDS
from cbtrun.registry import load_registry
from cbtrun.run.study_lock import study_of_run


def other_cards(opened: Opened, derived: Path) -> Iterator[FileFound]:
    """Each card that is not what the derived run gives, is gone, or is of nothing. A package without any is of an earlier version."""
    there = {one.name: one.read_bytes() for one in sorted((opened.folder / CARDS).glob("*.md"))}
    if not there:
        return
    try:
        folder, registry = RunFolder(derived), load_registry()
        made = cards_of_run(folder, study_of_run(folder, registry), registry)
    except CbtrunError:  # a study with plugins of its own, which this process does not load
        return
    for name in sorted({*there, *made}):
        told, own = there.get(name), made.get(name)
        if told is None or own is None:
            yield FileFound(f"{CARDS}/{name}", "lacking", ("in one of them alone: the package and what is derived",))
        elif told != own.encode():
            lines = zip(told.decode("utf-8", "replace").splitlines(), own.splitlines(), strict=False)
            place = next((f"line {at}: {a[:80]} in the package, {b[:80]} derived" for at, (a, b) in enumerate(lines, 1) if a != b), "other lines")  # fmt: skip
            yield FileFound(f"{CARDS}/{name}", "differs", (place,))
