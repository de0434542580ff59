"""What the stages have written, read back for the stages that need it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from cbtrun.errors import StageError
from cbtrun.records import Adapter, Comparison, Persona, Rating, Record, Session, Transcript
from cbtrun.run_folder import RunFolder, read_records

if TYPE_CHECKING:
    from pathlib import Path

    from cbtrun.rubric import Rubric

R = TypeVar("R", bound=Record)

OUTPUTS: Mapping[str, tuple[str, type[Record]]] = {
    "personas": ("personas/{name}.jsonl", Persona),
    "corpus": ("corpus/{name}.jsonl", Transcript),
    "tune": ("adapters/{name}/adapters.jsonl", Adapter),
    "sessions": ("sessions.jsonl", Session),
    "ratings": ("ratings/{name}.jsonl", Rating),
    "analysis": ("analysis/{name}.jsonl", Comparison),
}
"""Block -> its output in the run folder, and what one line of it is."""


def output_path(folder: RunFolder, block: str, name: str) -> Path:
    """The file that holds the output of a stage."""
    return folder.path / OUTPUTS[block][0].format(name=name)


class Inputs:
    """The outputs of earlier stages, read once each."""

    def __init__(self, folder: RunFolder, rubrics: Mapping[str, Rubric], analyses: tuple[str, ...]) -> None:
        """rubrics: by the name or path that the study uses; analyses: names in the study's order."""
        self._folder = folder
        self._rubrics = rubrics
        self._analyses = analyses
        self._read: dict[tuple[str, str], list[Record]] = {}

    def personas(self, name: str) -> list[Persona]:
        """The personas of a set."""
        return self._records("personas", name, Persona)

    def corpus(self, name: str) -> list[Transcript]:
        """The transcripts of a corpus."""
        return self._records("corpus", name, Transcript)

    def adapters(self, name: str) -> list[Adapter]:
        """The adapters of a tune job."""
        return self._records("tune", name, Adapter)

    def sessions(self) -> list[Session]:
        """Every session."""
        return self._records("sessions", "", Session)

    def ratings(self, name: str) -> list[Rating]:
        """The ratings of a set."""
        return self._records("ratings", name, Rating)

    def comparisons(self) -> list[Comparison]:
        """The answers of every analysis that was made."""
        there = [name for name in self._analyses if output_path(self._folder, "analysis", name).exists()]
        return [one for name in there for one in self._records("analysis", name, Comparison)]

    def rubric(self, name: str) -> Rubric:
        """A rubric by the name or path that the study uses."""
        return self._rubrics[name]

    def forget(self, block: str, name: str) -> None:
        """Read a stage's output again the next time: it was just written."""
        self._read.pop((block, name), None)

    def _records(self, block: str, name: str, kind: type[R]) -> list[R]:
        if (block, name) not in self._read:
            path = output_path(self._folder, block, name)
            if not path.exists():
                raise StageError(f"{block}.{name}: was not made".replace(".:", ":"))
            self._read[block, name] = list(read_records(path, OUTPUTS[block][1]))
        return [one for one in self._read[block, name] if isinstance(one, kind)]
