"""What all pages of a sheet have: consent, instructions, training, pairs, and whether names are masked; from a run and options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cbtrun.errors import SpecError, StageError
from cbtrun.humans.preference_pairs import draw_pairs, read_pairs
from cbtrun.humans.task import CONSENT, INSTRUCTIONS, Settings
from cbtrun.humans.training import Training, read_training, shipped_training

if TYPE_CHECKING:
    from cbtrun.humans.rated_run import RatedRun
    from cbtrun.humans.sheet import Sheet

LARGEST_TEXT = 100_000
"""Bytes of a consent text or of instructions."""
NO_TRAINING = "none"


@dataclass(frozen=True)
class PageOptions:
    """What the command line says of the pages."""

    consent: Path | None = None
    instructions: Path | None = None
    training: str = ""
    """A file, `none`, or empty for the shipped session of the rubric, where there is one."""
    preferences: int = 0
    """Pairs to compare."""
    mask: tuple[str, ...] = ()


def settings_of(run: RatedRun, sheet: Sheet, options: PageOptions) -> Settings:
    """The settings of a sheet. Raises SpecError for a file that cannot be read, StageError where there is nothing to pair."""
    return Settings(
        consent=_text(options.consent) or CONSENT,
        instructions=_text(options.instructions) or INSTRUCTIONS,
        training=_training(run, options.training),
        pairs=draw_pairs(run.sessions, options.preferences, _secret(sheet, options), read_pairs(run.folder)),
        real_people=may_be_real(run),
        mask=options.mask,
    )


def may_be_real(run: RatedRun) -> bool:
    """Whether real people may speak: the study says so, or its sessions come from files and it does not deny it."""
    said = run.study.contains
    return said == "real-people" or (said != "none" and any(one.ended == "imported" for one in run.sessions))


def _secret(sheet: Sheet, options: PageOptions) -> str:
    if options.preferences and not sheet.secret:
        raise StageError(
            "the key is of an earlier version, without a secret to draw pairs from; --new draws another sheet"
        )
    return sheet.secret


def _training(run: RatedRun, said: str) -> Training | None:
    if said == NO_TRAINING:
        return None
    return read_training(Path(said), run.rubric) if said else shipped_training(run.rubric)


def _text(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_TEXT + 1)
        if len(content) > LARGEST_TEXT:
            raise SpecError.at(path, f"longer than {LARGEST_TEXT:,} bytes")
        return content.decode("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError.at(path, f"cannot be read as a text ({error})") from None
