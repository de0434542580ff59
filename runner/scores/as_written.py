"""scores/NAME.jsonl of a run folder, read as it is: nothing is written or made again."""

from __future__ import annotations

from collections.abc import Sequence

from cbtrun.contract.digests import file_digest
from cbtrun.files.plain_files import inside
from cbtrun.files.record_list import RecordList
from cbtrun.files.run_folder import RunFolder
from cbtrun.scores.score import Score


def scores_as_written(folder: RunFolder, name: str) -> Sequence[Score] | None:
    """The scores of a rating set as the run wrote them; none where it has not, or somebody changed the file since."""
    path, mark = (inside(folder.path, f"scores/{name}.{ending}") for ending in ("jsonl", "made-from"))
    if path.exists() and mark.exists() and mark.read_bytes()[:1000].endswith(f" {file_digest(path)}\n".encode()):
        return RecordList.read(path, Score)
    return None
