"""A run folder, read for viewing and comparing: nothing in it is ever written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cbtrun.plugin import (
    Labels,
    Persona,
    Results,
    RunFolder,
    Session,
    StageError,
    ends_of,
    headline_of,
    labelled_comparison,
    labels_of,
    lock_of,
    on_its_scale,
    read_records,
    results_in,
    view_of,
)


@dataclass(frozen=True)
class RunFiles:
    """What a finished run left behind."""

    folder: Path
    results: Results
    lock: Mapping[str, Any]
    """study.lock.yaml: the resolved study, versions, hardware."""

    @property
    def study(self) -> Mapping[str, Any]:
        """The resolved study."""
        resolved: Mapping[str, Any] = self.lock.get("resolved") or {}
        return resolved

    @property
    def environment(self) -> dict[str, Any]:
        """Versions and hardware, as far as they could change a result."""
        packages: Mapping[str, Any] = self.lock.get("packages") or {}
        own = {name: self.lock.get(name) for name in ("cbtrun", "python", "platform")}
        return {**own, **packages, "hardware": self.lock.get("hardware")}

    @property
    def labels(self) -> Labels:
        """What the study's file calls arms, factors, levels and outcomes."""
        return labels_of(view_of(self.study))

    @property
    def findings(self) -> tuple[str, ...]:
        """The sentence that the report opens with, under its labels; empty where nothing was compared."""
        study = view_of(self.study)
        headline = headline_of(self.results.comparisons, study, str(study.report.options.get("headline", "")))
        if headline is None:
            return ()
        ends = ends_of(self.results).get(headline.outcome, (None, None))
        return (on_its_scale(labelled_comparison(headline, self.labels).sentence, ends),)

    def people(self) -> dict[str, str]:
        """Persona id, or session id where it has no persona -> what must be equal for two runs to share them."""
        from cbtrun.plugin import digest

        files = sorted((self.folder / "personas").glob("*.jsonl"))
        personas = [one for path in files for one in read_records(path, Persona)]
        imported = {one.id: digest([turn.text for turn in one.turns]) for one in self.sessions() if one.persona is None}
        return imported | {one.id: digest(one) for one in personas}

    def persona(self, wanted: str | None) -> Persona | None:
        """The persona of an id; none for one that the run does not have."""
        files = sorted((self.folder / "personas").glob("*.jsonl"))
        return next((one for path in files for one in read_records(path, Persona) if one.id == wanted), None)

    def sessions(self) -> list[Session]:
        """Every session of the run; none where it has no sessions."""
        path = self.folder / "sessions.jsonl"
        return read_records(path, Session) if path.exists() else []


def read_run(folder: Path) -> RunFiles:
    """The files of a run. Raises StageError when it is no finished run folder."""
    run = RunFolder(folder)
    if not run.results.exists():
        raise StageError(f"{folder}: there is no results.json; give the folder of a finished run, like runs/quickstart")
    return RunFiles(folder, results_in(run.results), lock_of(run))
