"""Everything that a package says, made again from its study and its replies: by a process of its own, without keys or network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from cbtrun.documents.plain_yaml import read_plain_yaml
from cbtrun.errors import SpecError, StageError
from cbtrun.files.run_folder import RunFolder, write_atomically
from cbtrun.journal.exchange import import_journal
from cbtrun.packaging.opened import Opened
from cbtrun.packaging.parts import JOURNAL, RUN
from cbtrun.packaging.promises import put_promise

DONE = (0, 3)
"""Exit codes of a run that came to its end, 3 with units that had failed before too."""
BROKEN = 2
OF_THE_MACHINE = ("started", "finished", "cbtrun", "python", "platform", "packages", "hardware")
PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "OMP_NUM_THREADS",
)
"""Variables that a process of a stranger's study gets: none that could hold a key."""
ALONE = "from cbtrun.packaging.without_network import shut_network; shut_network(); from cbtrun.cli.main import main; main()"
"""The command line in a process that reaches nobody."""
MOST_SECONDS = 6 * 3600
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
LAST = 4000
"""Signs of what a process said that are told where it failed."""


@dataclass(frozen=True)
class Derived:
    """What came of the study when it was run again from its replies."""

    folder: Path
    """Its run folder."""
    code: int
    said: str


def derive(opened: Opened, runs: Path, *, allow_local_plugins: bool) -> Derived:
    """Run a package's study from its journal alone."""
    name = _study_name(opened)
    folder = runs / name
    try:
        import_journal(RunFolder(folder), opened.folder / JOURNAL)
    except StageError as broken:
        return Derived(folder, BROKEN, str(broken))
    sets = [word for one in opened.about.set for word in ("--set", one)]
    more = ["--allow-local-plugins"] if allow_local_plugins else []
    ran = _cbtrun(
        ["run", str(opened.spec), "--offline", "--quiet", "--runs", str(runs), *sets, *more], opened.spec.parent
    )
    if ran.returncode in DONE and (folder / "study.lock.yaml").is_file():
        _as_there(opened, folder)
        _cbtrun(["report", str(folder), "--format", "html", *more], opened.spec.parent)
    return Derived(folder, ran.returncode, _told(ran))


def _as_there(opened: Opened, folder: Path) -> None:
    """Say of the derived run when and on what the package's ran: its report then differs in nothing but what was found."""
    put_promise(opened.folder, folder)
    here, there = folder / "study.lock.yaml", opened.folder / RUN / "study.lock.yaml"
    try:
        lock, said = read_plain_yaml(here), read_plain_yaml(there) if there.is_file() else {}
    except SpecError:  # the package's is no lock file: its report has nothing to be the same as
        return
    if isinstance(lock, dict) and isinstance(said, dict):
        told = {name: said[name] for name in OF_THE_MACHINE if name in said}
        write_atomically(here, yaml.safe_dump({**lock, **told}, sort_keys=False, allow_unicode=True))


def _study_name(opened: Opened) -> str:
    from cbtrun.study.overrides import read_study

    written = read_study(opened.spec, tuple(opened.about.set))
    name = str(written.document.value.get("study") or "")
    if not NAME.fullmatch(name):
        raise SpecError.at(opened.about.spec, f"'study' is no name that a run folder can have: {name[:80]!r}")
    return name


def _cbtrun(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[bytes]:
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    state = {"XDG_STATE_HOME": str(folder / ".state"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-P", "-c", ALONE, *arguments]
    return subprocess.run(
        command, cwd=folder, env={**environment, **state}, capture_output=True, timeout=MOST_SECONDS, check=False
    )


def _told(ran: subprocess.CompletedProcess[bytes]) -> str:
    return (ran.stderr or ran.stdout).decode("utf-8", "replace")[-LAST:]
