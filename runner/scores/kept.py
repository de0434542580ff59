"""scores/NAME.jsonl of a run folder: made from ratings/NAME.jsonl whenever it is not, to the byte, what that gives."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cbtrun.contract.digests import digest, file_digest
from cbtrun.contract.records import Rating
from cbtrun.contract.sources import code_digest
from cbtrun.files.plain_files import inside
from cbtrun.files.run_folder import RunFolder, write_atomically, write_records
from cbtrun.ratings.rubric import Rubric, rubric_digest
from cbtrun.scores.making import make_scores
from cbtrun.scores.totals import Aggregate


def kept_scores(
    folder: RunFolder, name: str, ratings: Iterable[Rating], of: str, rubric: Rubric, aggregate: Aggregate
) -> Path:
    """The file of a rating set's scores; it is left alone if it was made from these ratings, this rubric and this code.

    ratings: what ratings/NAME.jsonl holds. of: the digest that this file stands for.
    """
    path, mark = (inside(folder.path, f"scores/{name}.{ending}") for ending in ("jsonl", "made-from"))
    made_from = digest([of, rubric_digest(rubric), aggregate, code_digest([make_scores.__module__])])
    if not path.exists() or not mark.exists() or mark.read_bytes() != f"{made_from} {file_digest(path)}\n".encode():
        write_records(path, make_scores(name, ratings, rubric, aggregate))
        write_atomically(mark, f"{made_from} {file_digest(path)}\n")
    return path
