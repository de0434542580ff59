"""A package as a file: the parts, what describes them, a list of digests, in an order and with times that make it the same again."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.cards.of_run import cards_of_run
from cbtrun.errors import StageError
from cbtrun.files.plain_files import write_parts
from cbtrun.files.run_folder import RunFolder
from cbtrun.journal.exchange import export_journal
from cbtrun.packaging.descriptions import About, described
from cbtrun.packaging.parts import CARDS, JOURNAL, STUDY, Part, parts_of
from cbtrun.packaging.strange_names import odd_names
from cbtrun.packaging.written_study import written_study
from cbtrun.results.records import results_in
from cbtrun.run.study_lock import lock_of
from cbtrun.study.origins import real_people_in
from cbtrun.version import __version__

if TYPE_CHECKING:
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study

MANIFEST, ABOUT, README = "manifest-sha256.txt", "package.json", "README.md"
FORMAT = 1
BEGIN = (1980, 1, 1, 0, 0, 0)
"""The time of every member: the earliest that a zip can say."""


@dataclass(frozen=True)
class Wanted:
    """What somebody wants in a package."""

    words_with_consent: bool = False
    adapters: bool = False
    authors: tuple[str, ...] = ()
    licence: str = ""


@dataclass(frozen=True)
class Packaged:
    """What a package came to."""

    file: Path
    digest: str
    files: int
    left_out: tuple[str, ...]


def write_package(folder: RunFolder, target: Path, wanted: Wanted, registry: Registry) -> Packaged:
    """Write a run as one archive. Raises StageError for a run that is not done, or whose study is no longer as it was."""
    written = written_study(folder, registry)
    chosen = parts_of(folder, written, registry, with_words=wanted.words_with_consent, adapters=wanted.adapters)
    bare = any(one.startswith("words of real people") for one in chosen.left_out)
    parts = [*chosen.parts]
    if not bare:
        parts.append(
            Part(JOURNAL, _journal(folder), "every reply of every model, to derive all else from", speaks=True)
        )
    for name, text in cards_of_run(folder, written.study, registry, rubrics_alone=bare).items():
        parts.append(Part(f"{CARDS}/{name}", text.encode(), "card of what is in it"))
    meta = {
        "cbtrun_package": FORMAT,
        "cbtrun": __version__,
        "study": written.study.name,
        "spec": f"{STUDY}/{written.inside(written.texts[0])}",
        "set": list(written.sets),
        "shipped": list(written.shipped),
        "plugins": list(written.study.plugins),
        "left_out": list(chosen.left_out),
    }
    parts.append(Part(ABOUT, (json.dumps(meta, indent=1, ensure_ascii=False) + "\n").encode(), "what the package is"))
    about = replace(_about(folder, written.study, wanted), people=bool(real_people_in(written.study, registry)))
    parts += described(about, parts)
    parts.append(Part(README, _readme(about, target.name, bare=bare), "how to check it"))
    for name, why in odd_names(one.name for one in parts):
        raise StageError(f"{name}: {why}, so that not everybody could unpack it; give the file another name")
    parts = sorted(parts, key=lambda one: one.name)
    listed = "".join(f"{sha256(one.bytes).hexdigest()}  {one.name}\n" for one in parts).encode()
    digest = _write(target, [*parts, Part(MANIFEST, listed, "digests")])
    return Packaged(target, digest, len(parts) + 1, chosen.left_out)


def _about(folder: RunFolder, study: Study, wanted: Wanted) -> About:
    from cbtrun.analysis.headline import headline_of
    from cbtrun.contract.labels import labels_of
    from cbtrun.results.labelled import labelled_comparison

    results, lock = results_in(folder.results), lock_of(folder)
    found = (
        None
        if study.stand_ins
        else headline_of(results.comparisons, study, str(study.report.options.get("headline", "")))
    )
    return About(
        name=study.name,
        title=results.title,
        finished=str(lock.get("finished") or lock.get("started") or "")[:10],
        finding=labelled_comparison(found, labels_of(study)).sentence if found is not None else "",
        authors=wanted.authors,
        licence=wanted.licence,
    )


def _journal(folder: RunFolder) -> bytes:
    with tempfile.TemporaryDirectory() as there:
        file = Path(there) / JOURNAL
        export_journal(folder, file)
        return file.read_bytes()


def _readme(about: About, name: str, *, bare: bool) -> bytes:
    check = (
        "The words of real people that it rests on are not in it, so that its numbers cannot be derived again from it; "
        "`cbtrun verify` checks the files against their digests."
        if bare
        else "Every number in it can be derived again from the replies in `journal.jsonl.xz`, without a key, a GPU or weights."
    )
    return f"""# {about.title or about.name}

{about.description}

{check}

    pip install cbtrun=={__version__}
    cbtrun verify {name}

`study/` is the study as it was written, `run/` what came of it, `manifest-sha256.txt` the digest of each file
(`sha256sum -c manifest-sha256.txt` checks them without cbtrun). `cards/` says of each corpus, set of patients and rubric what it is. `ro-crate-metadata.json` and `croissant.json` describe it for
machines, `CITATION.cff` says how it is cited.
""".encode()


def _write(target: Path, parts: Sequence[Part]) -> str:
    with tempfile.TemporaryFile() as made:
        with zipfile.ZipFile(made, "w") as archive:
            for part in parts:
                info = zipfile.ZipInfo(part.name, BEGIN)
                packed = part.name.endswith((".xz", ".png"))
                info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
                info.external_attr = 0o644 << 16
                archive.writestr(info, part.bytes)
        made.seek(0)
        content = made.read()
    if target.exists():
        raise StageError(f"{target}: there is a file already; name another with --to")
    write_parts(target, [content])
    return sha256(content).hexdigest()
