"""What the command line decides about a run, and how the run ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.calls.calls import Tally
from cbtrun.contexts import Promise
from cbtrun.contract.records import Failure
from cbtrun.files.run_folder import RunFolder
from cbtrun.journal.recorded import KeptModel
from cbtrun.keys.secrets import KeyRing
from cbtrun.results.nothing_scored import NothingScored

if TYPE_CHECKING:
    from cbtrun.cluster.cluster import Cluster


@dataclass(frozen=True)
class RunOptions:
    """What the command line decides, and the study does not."""

    offline: bool = False
    """Answer from the journal alone."""
    embedded_alone: bool = False
    """Ask no model but those that ship with cbtrun: a stage that would ask another is left out."""
    consent_remote: bool = False
    """Real people's words may go to a remote model."""
    concurrency: int = 256
    """Units under way at once."""
    take_over: bool = False
    """Go on in a folder that another spec file made."""
    redo: frozenset[str] = frozenset()
    """Ids of stages that are done again by today's code, though that may cost calls or a training."""
    announce: Callable[[str], None] = lambda line: None  # noqa: ARG005 - nobody listens
    """Told what is done again, and why, before anything is."""
    cluster: Cluster | None = None
    """Machines that models and trainings run on; none where that is this one."""
    keys: KeyRing = field(default_factory=KeyRing)
    """Where keys of servers come from, and where each may go."""


@dataclass
class Outcome:
    """How a run ended."""

    folder: RunFolder
    failures: list[Failure] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    """Ids of the stages that did something."""
    up_to_date: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    """Stage -> why it stays as other code made it: doing it again would be paid for."""
    unopened: dict[str, dict[str, KeptModel]] = field(default_factory=dict)
    """Stage -> by name, the models whose replies were taken from the journal, and which were not opened."""
    untrained: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Tuning -> digests of its adapters, where what the journal keeps of it stands for it."""
    changed: list[str] = field(default_factory=list)
    """Ids of the stages whose output was no longer as it was written, and was made again."""
    tally: Tally = field(default_factory=Tally)
    report: Path | None = None
    unscored: tuple[NothingScored, ...] = ()
    """Parts of the study without one score: such a run is not done."""
    left_out: tuple[str, ...] = ()
    """Sessions that no rater was asked about, by reason, in words."""
    cares: int | None = None
    """Notes that the report asks to read with care; none where it was not made now."""
    failure_list: Path | None = None
    """File with every failure; none where there is none."""
    drifts: tuple[str, ...] = ()
    """Models that changed while the study ran, as their replies state it: a sentence each."""
    promise: Promise | None = None
    """How the run kept to its registration; none where nothing was registered."""
