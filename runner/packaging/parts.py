"""What of a run goes into its package, under which name, for what, and under which terms."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from cbtrun.contract.digests import bytes_digest
from cbtrun.errors import StageError
from cbtrun.files.run_folder import RunFolder
from cbtrun.packaging.written_study import WrittenStudy
from cbtrun.run.promise import registration_beside
from cbtrun.run.study_lock import lock_of
from cbtrun.study.contains import REAL
from cbtrun.study.origins import real_people_in

if TYPE_CHECKING:
    from cbtrun.registry import Registry

STUDY, RUN, CARDS, JOURNAL = "study", "run", "cards", "journal.jsonl.xz"
"""Folders of a package, and its file of replies."""
NO_WORDS = ("results.json", "promise.json")
"""Files of a run folder in which nobody's words are."""
NO_WORDS_FOLDERS = ("tables", "figures", "analysis")
WORDS = ("failures.jsonl", "sessions.jsonl", "forgotten.jsonl", "report.html")
WORDS_FOLDERS = ("personas", "corpus", "ratings", "scores", "agreement", "report_transcripts")
ROLES = {
    "results.json": "results, as data",
    "promise.json": "how the run kept to its registration",
    "study.lock.yaml": "versions, machine and resolved study of the run",
    "sessions.jsonl": "sessions, turn by turn",
    "report.html": "report",
    "failures.jsonl": "units that failed",
    "forgotten.jsonl": "people who were taken out",
    "tables": "table of the report",
    "figures": "figure of the report",
    "analysis": "comparisons of one analysis",
    "personas": "personas",
    "corpus": "transcripts to tune on",
    "ratings": "ratings of sessions, with evidence",
    "scores": "scores",
    "agreement": "agreement with people",
    "report_transcripts": "transcripts of the report",
    "adapters": "adapter (LoRA)",
}
PLAIN = (".py",)
"""Files that a study reads in which no person speaks, beside its YAML."""


@dataclass(frozen=True)
class Part:
    """A file of a package."""

    name: str
    """Its path in the package."""
    content: bytes | Path
    role: str
    licence: str = ""
    """Terms, where the study or its files state some."""
    speaks: bool = False
    """Whether somebody speaks in it: a patient, simulated or real."""

    @property
    def bytes(self) -> bytes:
        """Its content."""
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()

    @property
    def format(self) -> str:
        """Its media type."""
        known = {".yaml": "application/yaml", ".jsonl": "application/jsonl", ".xz": "application/x-xz"}
        ending = Path(self.name).suffix
        return known.get(ending) or mimetypes.guess_type(self.name)[0] or "application/octet-stream"


@dataclass(frozen=True)
class Chosen:
    """What goes in, and why something does not."""

    parts: tuple[Part, ...]
    left_out: tuple[str, ...]


def parts_of(
    folder: RunFolder, written: WrittenStudy, registry: Registry, *, with_words: bool, adapters: bool
) -> Chosen:
    """Every file of the package but the journal and the descriptions.

    with_words: whether words of real people may be in it, which somebody has to have consented to.
    """
    if not folder.results.is_file():
        raise StageError(f"{folder.path}: has no results.json; finish the run first")
    people = real_people_in(written.study, registry)
    bare = bool(people) and not with_words
    if bare and written.study.contains == REAL:
        raise StageError(
            f"{folder.path}: the study says `contains: real-people`: words of real people may stand anywhere in it, and nothing "
            "can be left out for sure. With their consent to publication say --words-with-consent; where only some files hold "
            "their words, let the study say which (docs/security.md)"
        )
    left = [f"words of real people: {why}" for why in sorted(set(people.values()))] if bare else []
    parts = [*_study_parts(written, bare=bare), *_run_parts(folder, written, bare=bare)]
    weights = [*_adapter_parts(folder, written)]
    if not adapters or bare:
        left += [f"{len(weights):,} files of adapters: the journal has their digests and what each training wrote of itself"] if weights else []  # fmt: skip
        weights = []
    return Chosen(tuple(sorted([*parts, *weights], key=lambda one: one.name)), tuple(left))


def _study_parts(written: WrittenStudy, *, bare: bool) -> Iterator[Part]:
    stated = _stated(written)
    for place, path in enumerate(written.texts):
        yield Part(
            f"{STUDY}/{written.inside(path)}",
            path,
            "study" if place == 0 else "file of the study",
            stated.get(str(path), ""),
        )
    for path in written.files:
        if not bare or path.suffix in PLAIN:  # whose words a file of data holds is not asked file by file
            yield Part(f"{STUDY}/{written.inside(path)}", path, "file that the study reads", stated.get(str(path), ""), path.suffix not in PLAIN)  # fmt: skip
    promise = registration_beside(written.study)
    if promise.is_file():
        yield Part(f"{STUDY}/{written.inside(promise)}", promise, "registration, made before the data")


def _run_parts(folder: RunFolder, written: WrittenStudy, *, bare: bool) -> Iterator[Part]:
    stated = _stated(written)
    yield Part(f"{RUN}/study.lock.yaml", _public_lock(folder, written), ROLES["study.lock.yaml"])
    for name in NO_WORDS if bare else (*NO_WORDS, *WORDS):
        if (path := folder.path / name).is_file():
            yield Part(f"{RUN}/{name}", path, ROLES[name], speaks=name in WORDS)
    for name in NO_WORDS_FOLDERS if bare else (*NO_WORDS_FOLDERS, *WORDS_FOLDERS):
        for path in _files_below(folder.path / name):
            inside = f"{RUN}/{path.relative_to(folder.path).as_posix()}"
            yield Part(inside, path, ROLES[name], stated.get(inside, ""), name in WORDS_FOLDERS)


def _adapter_parts(folder: RunFolder, written: WrittenStudy) -> Iterator[Part]:
    for path in _files_below(folder.path / "adapters"):
        yield Part(f"{RUN}/{path.relative_to(folder.path).as_posix()}", path, ROLES["adapters"])


def _files_below(folder: Path) -> list[Path]:
    return sorted(one for one in folder.rglob("*") if one.is_file()) if folder.is_dir() else []


def _public_lock(folder: RunFolder, written: WrittenStudy) -> bytes:
    """The lock file without what tells of the machine's owner: paths, the host's name."""
    lock = {key: value for key, value in lock_of(folder).items() if key != "place"}
    spec = lock["spec"]
    inside = {bytes_digest(path.read_bytes()): f"{STUDY}/{written.inside(path)}" for path in written.texts}
    sources = {inside.get(digest, Path(name).name): digest for name, digest in spec["sources"].items()}
    lock["spec"] = {**spec, "file": f"{STUDY}/{written.inside(written.texts[0])}", "sources": sources}
    return yaml.safe_dump(lock, sort_keys=False, allow_unicode=True).encode()


def _stated(written: WrittenStudy) -> dict[str, str]:
    """File -> the terms that the study or its rubrics state: of rubrics, and of corpora."""
    rubrics, study = written.study.rubrics(), written.study
    found = {str(path): rubrics[name].licence for name, path in study.rubric_files.items()}
    for name, block in study.corpora.items():
        if isinstance(block.options.get("licence"), str):
            found[f"{RUN}/corpus/{name}.jsonl"] = block.options["licence"]
    return found
