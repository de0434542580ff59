"""The kinds of stage, once: what does each, what shape its block has, and what it leaves in the run folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cbtrun.contract.records import Adapter, Comparison, Persona, Rating, Record, Session, Transcript


@dataclass(frozen=True)
class StageKind:
    """A block of the study that a plugin does."""

    block: str
    """Its key in the study."""
    hook: str
    """The hook that does it."""
    named: bool = True
    """Whether the study has several of them, by name; else one, whose name is empty."""
    word: str = ""
    """What messages call one of them; empty where no other block can name it."""
    record: type[Record] | None = None
    """What one line of its output is."""
    output: str = ""
    """Its output in the run folder, with `{name}` where the block's name stands."""
    schema: str = ""
    """Schema of its records under schemas/, for those that people may write by hand or read elsewhere."""
    turns: bool = False
    """Whether a call waits for the answer to the one before it: such calls are not handed in by batches."""
    goes_on: bool = False
    """Whether it runs even if something that it reads has failed: other arms can be simulated, a report shows what there is."""


MODELS = StageKind("models", "open_model", word="model")
"""What stages talk to: done by plugins like a stage, and open only while a stage needs it."""

STAGES: Mapping[str, StageKind] = MappingProxyType(
    {
        kind.block: kind
        for kind in (
            StageKind("personas", "make_personas", True, "persona set", Persona, "personas/{name}.jsonl", "persona"),
            StageKind("corpus", "make_corpus", True, "corpus", Transcript, "corpus/{name}.jsonl", "transcript"),
            StageKind("tune", "tune_model", True, "tune job", Adapter, "adapters/{name}/adapters.jsonl", turns=True),
            StageKind(
                "sessions", "run_sessions", False, "", Session, "sessions.jsonl", "session", turns=True, goes_on=True
            ),
            StageKind("ratings", "rate_sessions", True, "rating set", Rating, "ratings/{name}.jsonl", "rating"),
            StageKind("analysis", "analyse", True, "analysis", Comparison, "analysis/{name}.jsonl"),
            StageKind("report", "write_report", False, goes_on=True),
        )
    }
)
"""Block -> its kind, in the usual order of a study."""

PLUGGED: Mapping[str, StageKind] = MappingProxyType({MODELS.block: MODELS, **STAGES})
"""Every block that a plugin does, in the order of the study's file."""


def is_named(block: str) -> bool:
    """Whether a block holds several by name. Also asked of `arms`, which no plugin does."""
    return block not in PLUGGED or PLUGGED[block].named


def stage_id(block: str, name: str) -> str:
    """`ratings.ctrs`, `sessions` ..."""
    return f"{block}.{name}" if name else block


def block_path(stage: str, name: str) -> tuple[str, ...]:
    """The path of a block in the study."""
    return (stage, name) if is_named(stage) else (stage,)
