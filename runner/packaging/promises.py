"""How a run kept to its registration, as its package says and as far as the study tells again.

When it was registered, when it first ran and by which code are facts of a machine and an hour: the package's word stands for
them, and its report is made with it. What follows from the study alone is derived: a deviation that is left out is named.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cbtrun.packaging.compared import FileFound
from cbtrun.packaging.parts import RUN

FILE = "promise.json"
PROMISE = f"{RUN}/{FILE}"
MOST_BYTES = 2**20
OF_THE_STUDY, OF_THE_CODE = ": registered as ", "code/"
"""What stands in a deviation of the study's own words and files, and how one of the code begins, which is other elsewhere."""
DERIVED = "promise.derived.json"


def put_promise(package: Path, derived: Path) -> None:
    """Give a derived run the package's own word on its registration; what was derived is kept beside it."""
    told, here = package / RUN / FILE, derived / FILE
    if told.is_file() and here.is_file() and told.stat().st_size <= MOST_BYTES:
        here.rename(derived / DERIVED)
        here.write_bytes(told.read_bytes())


def lacking_deviations(package: Path, derived: Path) -> Iterator[FileFound]:
    """The package's word on its registration, where it leaves out a deviation that the study itself shows, or is no word at all."""
    if not (derived / DERIVED).is_file():
        return
    told, made = _deviations(package / RUN / FILE), _deviations(derived / DERIVED)
    left_out = [one for one in made or () if OF_THE_STUDY in one and not one.startswith(OF_THE_CODE) and one not in (told or ())]  # fmt: skip
    if told is None:
        yield FileFound(PROMISE, "differs", ("not as cbtrun writes it",))
    elif left_out:
        yield FileFound(PROMISE, "differs", tuple(f"leaves out: {one[:200]}" for one in left_out))


def _deviations(path: Path) -> list[str] | None:
    try:
        content: Any = json.loads(path.read_bytes())
        found = content["deviations"]
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return None
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else None
