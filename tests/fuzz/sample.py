"""The cases of a sample, tried one after the other. A case is told by the seed, its kind and its number, anywhere."""

from __future__ import annotations

import faulthandler
import logging
import shutil
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from tests.fuzz.broken_journals import break_export, break_journal
from tests.fuzz.broken_replies import break_reply
from tests.fuzz.broken_rows import break_rows
from tests.fuzz.broken_runs import asked_in_the_browser, break_run
from tests.fuzz.broken_specs import break_spec
from tests.fuzz.project import sound
from tests.fuzz.trial import Ended, tried

KINDS: dict[str, Callable[[Path, Random], list[tuple[str, ...]]]] = {
    "spec": break_spec,
    "rows": break_rows,
    "replies": break_reply,
    "journal": break_journal,
    "run": break_run,
    "export": break_export,
}
STUCK_SECONDS = 120.0
"""After which a command that Python cannot stop ends the program, with where it hangs."""


@dataclass(frozen=True)
class Wanted:
    """Which cases are tried."""

    seed: int = 1
    kinds: Sequence[str] = tuple(KINDS)
    cases: int | None = None
    """Of each kind; without end where neither they nor the seconds are told."""
    seconds: float | None = None
    only: int | None = None
    """One case alone, by its number."""
    keep: Path | None = None
    """Folder for what findings were made of."""


def fuzz(wanted: Wanted, tell: Callable[[str], None] = print) -> dict[str, Any]:
    """Try the cases, and tell each finding as it comes. Gives what they came to."""
    started = time.monotonic()
    counts: dict[str, int] = dict.fromkeys(wanted.kinds, 0)
    ended: list[Ended] = []
    findings: list[str] = []
    with warnings.catch_warnings(action="ignore"):
        sound()
        logging.disable(logging.CRITICAL)
        for kind, number in _numbers(wanted):
            if wanted.seconds is not None and time.monotonic() - started > wanted.seconds:
                break
            counts[kind] += 1
            for found in _case(wanted, kind, number):
                ended.append(found)
                if found.fault:
                    findings.append(
                        f"--seed {wanted.seed} --kind {kind} --case {number}: {' '.join(found.command)}: {found.fault}"
                    )
                    tell(findings[-1])
        logging.disable(logging.NOTSET)
    return {
        "seed": wanted.seed,
        "cases": counts,
        "commands": len(ended),
        "findings": len(findings),
        "first": findings[:20],
        "slowest_seconds": round(max((one.seconds for one in ended), default=0), 2),
        "most_mib": round(max((one.mib for one in ended), default=0)),
        "seconds": round(time.monotonic() - started, 1),
    }


def _numbers(wanted: Wanted) -> Iterator[tuple[str, int]]:
    """(kind, number) of each case, the kinds in turn."""
    if wanted.only is not None:
        numbers: Iterable[int] = [wanted.only]
    else:
        numbers = count() if wanted.cases is None else range(wanted.cases)
    for number in numbers:
        for kind in wanted.kinds:
            yield kind, number


def _case(wanted: Wanted, kind: str, number: int) -> Iterator[Ended]:
    """One case: something broken, and each command that is tried on it."""
    with TemporaryDirectory(prefix="cbtrun-fuzz-") as made:
        folder = Path(made)
        commands = KINDS[kind](folder, Random(f"{wanted.seed} {kind} {number}"))
        for at, command in enumerate(commands):
            faulthandler.dump_traceback_later(STUCK_SECONDS, exit=True)
            found = tried(command, folder, asked_in_the_browser(folder) if command[0] == "view" else None)
            faulthandler.cancel_dump_traceback_later()
            yield found
            if found.fault and wanted.keep:
                shutil.copytree(folder, wanted.keep / f"{wanted.seed}-{kind}-{number}-{at}", dirs_exist_ok=True)
