"""What a package proves: its files by their digests, its numbers by making them again, and what only digests stand for."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from cbtrun.documents.plain_yaml import read_plain_yaml
from cbtrun.errors import SpecError
from cbtrun.packaging.compared import MOST_PLACES, Compared, FileFound, compared
from cbtrun.packaging.derived import DONE, Derived, derive
from cbtrun.packaging.locks import LOCK, SHOWN, changed_sources, lock_places, other_code
from cbtrun.packaging.opened import Opened, open_package
from cbtrun.packaging.parts import JOURNAL, RUN
from cbtrun.packaging.promises import PROMISE, lacking_deviations
from cbtrun.packaging.strange_study import refuse_strange_study
from cbtrun.packaging.verified_cards import other_cards
from cbtrun.packaging.weights import other_weights
from cbtrun.run.study_lock import package_versions
from cbtrun.version import __version__

LOOKS = (".html", ".svg", ".pdf", ".png")
"""Endings of files that show numbers and hold none of their own."""


OTHER_SOURCE = "not the file that the run was made from: run/study.lock.yaml has another digest of it"


@dataclass(frozen=True)
class Verified:
    """What was found."""

    package: str
    files: int
    faults: tuple[str, ...]
    """Files that are not what the list of digests says."""
    derived: bool
    """Whether the study could be run again."""
    said: str
    """Why not, in the run's words."""
    found: Compared = field(default=Compared(()))
    versions: tuple[str, ...] = ()
    """What differs between the machine of the run and this one."""
    not_made_again: tuple[str, ...] = ()
    """What nothing here derives, and what stands for it."""

    @property
    def sound(self) -> bool:
        """Whether everything that can be derived agrees, but for rounding."""
        return not self.faults and self.derived and not self.found.of("differs", "lacking")


def verify_package(path: Path, *, allow_local_plugins: bool = False) -> Verified:
    """Check a package of anybody's. Raises SpecError for what is none, PluginError where it wants to run Python of its own."""
    with tempfile.TemporaryDirectory(prefix="cbtrun-verify-") as there:
        opened = open_package(path, Path(there) / "package")
        files = sum(1 for one in opened.folder.rglob("*") if one.is_file())
        refuse_strange_study(opened, path, allow_local_plugins=allow_local_plugins)
        known = [*_not_made_again(opened)]
        versions = tuple(_versions(opened))
        if not (opened.folder / JOURNAL).is_file():
            why = "; ".join(opened.about.left_out) or "it has no journal"
            return Verified(str(path), files, opened.faults, False, why, versions=versions, not_made_again=tuple(known))
        made = derive(opened, Path(there) / "runs", allow_local_plugins=allow_local_plugins)
        return _beside(path, files, opened, made, versions, known)


def _beside(
    path: Path, files: int, opened: Opened, made: Derived, versions: tuple[str, ...], known: list[str]
) -> Verified:
    done = made.code in DONE and (made.folder / "results.json").is_file()
    found = compared(opened.folder, made.folder) if done else Compared(())
    told = _lock(opened)
    found = replace(
        found,
        files=(
            *(FileFound(one, "differs", (OTHER_SOURCE,)) for one in changed_sources(opened.folder, told)),
            *found.files,
            *(_other_lock(told, made) if done else ()),
            *(other_cards(opened, made.folder) if done else ()),
            *(lacking_deviations(opened.folder, made.folder) if done else ()),
            *other_weights(opened.folder, made.folder),
        ),
    )
    known += [f"{one}: the time and the machine in it, as it says itself" for one in found.not_derived if one == SHOWN]
    known += [f"{one}: when it was registered and first run, and by which code, as it says itself" for one in found.not_derived if one == PROMISE]  # fmt: skip
    return Verified(str(path), files, opened.faults, done, "" if done else made.said, found, versions, tuple(known))


def _other_lock(told: dict[str, Any], made: Derived) -> Iterator[FileFound]:
    if places := [*lock_places(told, read_plain_yaml(made.folder / LOCK))]:
        yield FileFound(SHOWN, "differs", tuple(places))


def _versions(opened: Opened) -> Iterator[str]:
    """Programs that are other here than there; a difference in rounding or in a figure's bytes may be theirs."""
    import platform

    lock = _lock(opened)
    here = {
        "cbtrun": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **package_versions(),
    }
    packages = lock.get("packages")
    there = {name: lock.get(name) for name in ("cbtrun", "python", "platform")}
    there |= packages if isinstance(packages, dict) else {}
    for name, version in there.items():
        if isinstance(version, str) and here.get(name) != version:
            yield f"{name}: {version} there, {here.get(name) or 'not installed'} here"
    if code := other_code(lock):
        yield f"cbtrun's own code of {', '.join(code)}, whatever its version says"


def _not_made_again(opened: Opened) -> Iterator[str]:
    """Tunings: what stands for them are the digests of their weights and what they wrote about themselves."""
    for path in sorted((opened.folder / RUN / "adapters").glob("**/adapter_model.safetensors")):
        name = path.parent.relative_to(opened.folder / RUN).as_posix()
        digest = sha256(path.read_bytes()).hexdigest()
        yield f"{name}: a training, not done again; its weights are here (SHA-256 {digest[:16]}), held against the journal's digest"
    for name in _tunings(opened):
        yield f"tuning {name}: not done again; its outcome and the digest of its weights are in the journal's export"


def _tunings(opened: Opened) -> list[str]:
    resolved = _lock(opened).get("resolved")
    tune = resolved.get("tune") if isinstance(resolved, dict) else None
    return sorted(map(str, tune)) if isinstance(tune, dict) else []


def _lock(opened: Opened) -> dict[str, Any]:
    path = opened.folder / RUN / "study.lock.yaml"
    try:
        return read_plain_yaml(path) if path.is_file() else {}
    except SpecError:  # changed into something else: the list of digests says so, or nobody listed the right one
        return {}


def told(verified: Verified) -> Iterator[str]:
    """What is to be said of it, line by line."""
    found = verified.found
    yield f"{verified.package}: {verified.files:,} files"
    yield from (f"  CHANGED  {one}" for one in verified.faults)
    if not verified.faults:
        yield "  every file is what the list of digests says"
    if not verified.derived:
        yield f"  its numbers could not be derived again: {verified.said.strip() or 'the run said nothing'}"
    else:
        yield f"  derived again from its replies: {len(found.of('same')):,} files the same, byte for byte"
        for one in found.of("rounding"):
            yield f"  {one.name}: the same within 1e-9; the most that differs: {one.places[0] if one.places else ''}"
        yield from _apart(found.of("differs", "lacking"))
    if verified.versions:
        yield f"  other here than where it ran: {'; '.join(verified.versions)}"
    yield from (f"  not derived  {one}" for one in verified.not_made_again)
    yield _verdict(verified)


def _apart(files: list[FileFound]) -> Iterator[str]:
    for one in files:
        more = len(one.places) - MOST_PLACES
        yield f"  DIFFERS  {one.name}"
        yield from (f"    {place}" for place in one.places[:MOST_PLACES])
        if more > 0:
            yield f"    and {more:,} more"


def _verdict(verified: Verified) -> str:
    if verified.sound:
        return "Verified: what it says comes out of its replies."
    apart = verified.found.of("differs", "lacking")
    if verified.derived and not verified.faults and all(one.name.endswith(LOOKS) for one in apart):
        other = "; drawn by other versions than there, which may be why" if verified.versions else ""
        which = "1 page or figure is" if len(apart) == 1 else f"{len(apart):,} pages and figures are"
        return f"Its numbers are verified. {which} not as its numbers make them here{other}."
    if verified.derived or verified.faults:
        return "Not verified: see the lines in capitals."
    return "Not verified: nothing could be derived."


def as_json(verified: Verified) -> dict[str, Any]:
    """The same for programs."""
    found = verified.found
    return {
        "package": verified.package,
        "verified": verified.sound,
        "changed": list(verified.faults),
        "derived": verified.derived,
        "same": [one.name for one in found.of("same")],
        "rounding": [one.name for one in found.of("rounding")],
        "differs": {one.name: list(one.places) for one in found.of("differs", "lacking")},
        "versions": list(verified.versions),
        "not_derived": list(verified.not_made_again),
        "said": json.loads(json.dumps(verified.said)),
    }
