"""The small files that a tuning leaves beside its weights: what an export carries of them, and where it may put them.

Figures and settings alone (`.json`, `.jsonl`, `.yaml`). Never weights, and never `*.words.json`, which holds words of the
corpus: an export is made to be passed on, and a corpus may be of real people.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cbtrun.contract.digests import bytes_digest, file_digest
from cbtrun.errors import StageError
from cbtrun.files.plain_files import inside
from cbtrun.files.run_folder import RunFolder, write_atomically
from cbtrun.journal.recorded import KeptOutcome

MOST_BYTES = 2**22
"""Of one file: a training's log takes some hundred bytes a step."""
_PART = r"[\w@-][\w.@-]{0,99}"
PLACE = re.compile(rf"adapters/{_PART}(/{_PART}){{1,2}}")
ENDINGS, WORDS = (".json", ".jsonl", ".yaml"), ".words.json"


@dataclass(frozen=True)
class KeptFile:
    """A small file of a run folder."""

    path: str
    """Below the run folder, as `adapters/JOB/seed-1/adapter.lock.yaml`."""
    text: str


def may_be_kept(path: str) -> bool:
    """Whether an export may carry a file of this name, and an import write it."""
    return bool(PLACE.fullmatch(path)) and path.endswith(ENDINGS) and not path.endswith(WORDS)


def files_of(folder: RunFolder, outcome: KeptOutcome, records: str) -> Iterator[KeptFile]:
    """The files of an outcome, by name; none where its records are not those that it was noted for.

    records: the file of its records, below the run folder.
    """
    home = inside(folder.path, records)
    if not home.is_file() or file_digest(home) != outcome.output:
        return
    for path in sorted([*home.parent.glob("*"), *home.parent.glob("*/*")]):
        name = path.relative_to(folder.path).as_posix()
        if may_be_kept(name) and path.is_file() and path.stat().st_size <= MOST_BYTES:
            try:
                yield KeptFile(name, path.read_text(encoding="utf-8"))
            except UnicodeDecodeError:
                continue  # not of ours


def check_room(folder: RunFolder, files: Sequence[KeptFile]) -> None:
    """Raises StageError where the run folder has one of the files with another content: its own outcome stays."""
    for file in files:
        there = inside(folder.path, file.path)
        if there.exists() and file_digest(there) != bytes_digest(file.text.encode()):
            raise StageError(f"{there}: differs from what the export holds of it; nothing was imported")


def put_back(folder: RunFolder, files: Sequence[KeptFile]) -> None:
    """Write files where they were."""
    for file in files:
        write_atomically(inside(folder.path, file.path), file.text)
