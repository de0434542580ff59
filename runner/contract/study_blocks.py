"""The blocks of a study as typed records: what everybody asks of them by name, and all options beside it.

Read from plain values with their defaults filled in. What is broken in them reads as left out: the study's schema has
reported it by then, and a plugin's own checks may look at the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class ModelBlock:
    """A model that the study talks to."""

    name: str
    using: str
    model: str
    """The model as its maker or the hub calls it; empty where the plugin has no such option."""
    base_url: str
    """Address of its server, or of the first of several, variables unexpanded; empty for a model that has none."""
    api_key_env: str
    """Variable that holds its key; empty where it needs none."""
    options: Mapping[str, Any]
    base_urls: tuple[str, ...] = ()
    """Addresses of all its servers, where it has several."""

    @property
    def ships(self) -> bool:
        """Whether its weights come with cbtrun: a toy."""
        return self.model.startswith("cbtrun:")


@dataclass(frozen=True)
class PersonaSet:
    """A set of simulated patients."""

    name: str
    using: str
    count: int | None
    """How many there are, where the study says it."""
    options: Mapping[str, Any]


@dataclass(frozen=True)
class CorpusBlock:
    """A set of training transcripts."""

    name: str
    using: str
    personas: str
    """The persona set that it is written for; empty where it is written for none."""
    options: Mapping[str, Any]


@dataclass(frozen=True)
class TuneJob:
    """A fine-tuning job: one adapter for each seed."""

    name: str
    using: str
    base: str
    """The model that is tuned; in a study's view also of a job that starts from another's adapter."""
    corpus: str
    """The corpus that it is tuned on; empty where it is none."""
    seeds: tuple[int, ...]
    """One tuning each, never empty: a plugin without seeds tunes once."""
    options: Mapping[str, Any]
    start: str = ""
    """The model, or the tune job whose adapter, it starts from, where that is not `base`."""
    personas: str = ""
    """The persona set that it talks with while it learns; empty where it talks with none."""


@dataclass(frozen=True)
class Arm:
    """A condition that is compared."""

    name: str
    therapist: str
    """The model, or the tune job, that plays the therapist."""
    patient: str
    """The arm's own patient; empty where it has the one of `sessions`."""
    system: str
    """The arm's own instruction; empty where it has the one of `sessions`."""
    factors: Mapping[str, str]
    """Factor -> the arm's level of it."""
    options: Mapping[str, Any]
    label: str = ""
    """What people read for its name; empty where they read the name."""


@dataclass(frozen=True)
class FactorBlock:
    """What people read for a factor and its levels."""

    name: str
    label: str
    """Empty where they read the name."""
    levels: Mapping[str, Any]
    """Level -> its label, or a mapping that holds it."""


@dataclass(frozen=True)
class SessionsBlock:
    """How sessions come about. A study without the block has one that says nothing."""

    using: str
    """Empty where the study has no sessions."""
    personas: str
    """The set that the patients come from; empty for sessions without personas."""
    patient: str
    """The model that plays the patient where an arm names none; empty for imported sessions."""
    max_turns: int | None
    """None where only the sessions themselves tell."""
    sessions: int
    """Sessions of each course."""
    repeats: int
    factors: Mapping[str, Any]
    """Factor -> where the sessions have it from, for factors that they bring themselves."""
    labels: Mapping[str, Any]
    """Label -> where the sessions have it from."""
    controls: tuple[str, ...]
    """Kinds of spoiled copies that are made of the sessions."""
    options: Mapping[str, Any]


@dataclass(frozen=True)
class RatingSet:
    """A named set of ratings of the sessions."""

    name: str
    using: str
    rubric: str
    """Name or path of its rubric, as the study has it; empty where it rates by none."""
    aggregate: Literal["mean", "median"]
    """How a session's ratings become one value."""
    mask_identity: bool
    """Whether words that tell which model speaks are hidden from the raters."""
    options: Mapping[str, Any]
    item_labels: Mapping[str, str] = field(default_factory=dict)
    """Outcome of the rubric (an item, a subscale, `total`) -> what people read for it."""


@dataclass(frozen=True)
class AnalysisBlock:
    """A question that the study asks of its ratings."""

    name: str
    using: str
    outcome: str
    factor: str
    """Empty for a design without one factor."""
    levels: tuple[str, ...]
    """The levels that are compared, as declared; empty where all are, or where each factor has its own."""
    options: Mapping[str, Any]

    @property
    def rating_set(self) -> str:
        """The rating set of the outcome."""
        return self.outcome.partition(".")[0]


@dataclass(frozen=True)
class ReportBlock:
    """What is written for people to read. A study without the block has one that says nothing."""

    using: str
    """Empty where the study has no report."""
    options: Mapping[str, Any]


def model_of(name: str, block: Mapping[str, Any]) -> ModelBlock:
    """The model of a block under `models`."""
    urls = addresses_of(block)
    first = next(iter(urls), "")
    return ModelBlock(
        name, text(block, "using"), text(block, "model"), first, text(block, "api_key_env"), block, tuple(urls)
    )


def addresses_of(block: Mapping[str, Any]) -> list[str]:
    """The addresses in `base_url` of a model's block: one, several, or none."""
    written = block.get("base_url")
    listed = written if isinstance(written, list | tuple) else [written]
    return [one for one in listed if isinstance(one, str) and one]


def where_it_runs_left_out(block: Mapping[str, Any]) -> Mapping[str, Any]:
    """A model's block without a list of servers, which are alike: which of them answers is no part of a study."""
    if not isinstance(block.get("base_url"), list | tuple):
        return block
    return {name: value for name, value in block.items() if name != "base_url"}


def persona_set_of(name: str, block: Mapping[str, Any]) -> PersonaSet:
    """The persona set of a block under `personas`."""
    return PersonaSet(name, text(block, "using"), number(block, "count"), block)


def corpus_of(name: str, block: Mapping[str, Any]) -> CorpusBlock:
    """The corpus of a block under `corpus`."""
    return CorpusBlock(name, text(block, "using"), text(block, "personas"), block)


def tune_job_of(name: str, block: Mapping[str, Any]) -> TuneJob:
    """The job of a block under `tune`."""
    listed = block.get("seeds")
    seeds = tuple(listed) if isinstance(listed, list | tuple) and listed else (1,)
    start = text(block, "start").partition("@")[0]
    base, corpus, personas = text(block, "base"), text(block, "corpus"), text(block, "personas")
    return TuneJob(name, text(block, "using"), base, corpus, seeds, block, start, personas)


def arm_of(name: str, block: Mapping[str, Any]) -> Arm:
    """The arm of an entry under `arms`."""
    factors = {factor: str(level) for factor, level in mapping(block, "factors").items()}
    return Arm(
        name,
        text(block, "therapist"),
        text(block, "patient"),
        text(block, "system"),
        factors,
        block,
        text(block, "label"),
    )


def factor_of(name: str, block: Mapping[str, Any]) -> FactorBlock:
    """The factor of an entry under `factors`."""
    return FactorBlock(name, text(block, "label"), mapping(block, "levels"))


def sessions_of(block: Mapping[str, Any]) -> SessionsBlock:
    """The `sessions` block."""
    controls = block.get("controls")
    return SessionsBlock(
        using=text(block, "using"),
        personas=text(block, "personas"),
        patient=text(block, "patient"),
        max_turns=number(block, "max_turns"),
        sessions=number(block, "sessions") or 1,
        repeats=number(block, "repeats") or 1,
        factors=mapping(block, "factors"),
        labels=mapping(block, "labels"),
        controls=tuple(controls) if isinstance(controls, list | tuple) else (),
        options=block,
    )


def rating_set_of(name: str, block: Mapping[str, Any]) -> RatingSet:
    """The rating set of a block under `ratings`."""
    aggregate: Literal["mean", "median"] = "median" if block.get("aggregate") == "median" else "mean"
    masked = block.get("mask_identity") is True
    return RatingSet(
        name, text(block, "using"), text(block, "rubric"), aggregate, masked, block, mapping(block, "item_labels")
    )


def analysis_of(name: str, block: Mapping[str, Any]) -> AnalysisBlock:
    """The question of a block under `analysis`."""
    listed = block.get("levels")
    levels = tuple(map(str, listed)) if isinstance(listed, list | tuple) else ()
    return AnalysisBlock(name, text(block, "using"), text(block, "outcome"), text(block, "factor"), levels, block)


def report_of(block: Mapping[str, Any]) -> ReportBlock:
    """The `report` block."""
    return ReportBlock(text(block, "using"), block)


def text(block: Mapping[str, Any], key: str) -> str:
    """An option that is a text; empty where it is left out or none."""
    value = block.get(key)
    return value if isinstance(value, str) else ""


def number(block: Mapping[str, Any], key: str) -> int | None:
    """An option that is a whole number; none where it is left out or none."""
    value = block.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def mapping(block: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An option that holds others; empty where it is left out or none."""
    value = block.get(key)
    return value if isinstance(value, Mapping) else {}
