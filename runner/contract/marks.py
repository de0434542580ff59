"""The marks that a schema may bear beside what JSON Schema knows: what an option names, where a model sends its words.

A plugin writes them in its `options_schema`; the engine reads them here and nowhere else. plugins/README.md says
of each what it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

NAMES = "x-names"
"""On a text: what it names, one kind or several to try in turn (`models`, `personas`, `file` ...)."""
WORDS = "x-words"
"""On a text: whether what it names brings words of people; without it every file or folder does."""
ENV = "x-env"
"""On a text: `${NAME}` in it is a variable of the environment."""
EXPECTED = "x-expected"
"""On anything: what stands there, in words for an error message."""
INTERNAL = "x-internal"
"""On anything: known only so that it is refused with a reason of its own; no reference page shows it."""
REFUSED = "x-refused"
"""On a mapping: keys that somebody might look for there -> why they are not, in words."""
REHEARSAL = "x-rehearsal"
"""On anything: what is enough for a rehearsal."""
REMOTE = "x-remote"
"""On a model's whole schema: it sends what it is told to another machine."""
BATCHES = "x-batches"
"""On a model's whole schema: its vendor has a batch API; the vendor's own host."""
WEIGHTS = "x-weights"
"""On a model's whole schema: it loads the weights that its option `model` names, on this machine."""
GPU = "x-gpu"
"""On a model's whole schema: it runs on a GPU alone."""
EMBEDDED = "x-embedded"
"""On a model's whole schema: it ships with cbtrun, and is a toy."""
ELSEWHERE = "x-elsewhere"
"""On a model's whole schema: its replies may be made on another machine. `model`: it is opened there whole, from its options
alone, by the plugin that is installed there; `engine`: the plugin asks the context's workplace itself."""

MARKS = (NAMES, WORDS, ENV, EXPECTED, INTERNAL, REFUSED, REHEARSAL, REMOTE, BATCHES, WEIGHTS, GPU, EMBEDDED, ELSEWHERE)


def names_of(schema: Schema) -> tuple[str, ...]:
    """Kinds of what a text names, to be tried in turn; empty for a text that names nothing."""
    kinds = schema.get(NAMES, ())
    return (kinds,) if isinstance(kinds, str) else tuple(kinds)


def brings_words(schema: Schema) -> bool | None:
    """Whether what a text names brings words of people; None where its schema does not say."""
    said = schema.get(WORDS)
    return None if said is None else bool(said)


def may_hold_variables(schema: Schema) -> bool:
    """Whether `${NAME}` in a text is a variable of the environment."""
    return bool(schema.get(ENV))


def expected_words(schema: Schema) -> str | None:
    """What is expected, in the schema's own words; None where it has none."""
    said = schema.get(EXPECTED)
    return str(said) if said else None


def is_internal(schema: Schema | bool) -> bool:
    """Whether an option is known only to be refused. A schema may be just `true`."""
    return isinstance(schema, Mapping) and bool(schema.get(INTERNAL))


def refused_keys(schema: Schema) -> Mapping[str, str]:
    """Keys of a mapping that are refused with a reason of their own."""
    return dict(schema.get(REFUSED) or {})


def rehearsal_rule(schema: Schema) -> Mapping[str, Any] | None:
    """What a rehearsal makes of an option (rehearsal/scaling.py says how); None where it is left as it is."""
    rule: Mapping[str, Any] | None = schema.get(REHEARSAL)
    return rule


def is_remote(schema: Schema) -> bool:
    """Whether a model with this schema sends what it is told to another machine."""
    return bool(schema.get(REMOTE))


def batch_host(schema: Schema) -> str | None:
    """The vendor's own host, where a model's vendor has a batch API."""
    found = schema.get(BATCHES)
    return found if isinstance(found, str) else None


def loads_weights(schema: Schema) -> bool:
    """Whether a model with this schema loads weights on this machine."""
    return bool(schema.get(WEIGHTS))


def needs_gpu(schema: Schema) -> bool:
    """Whether a model with this schema runs on a GPU alone."""
    return bool(schema.get(GPU))


def elsewhere(schema: Schema) -> str:
    """How a model's replies may be made on another machine: `model`, `engine`, or empty where they may not."""
    return str(schema.get(ELSEWHERE) or "")


def is_embedded(schema: Schema) -> bool:
    """Whether a model with this schema ships with cbtrun."""
    return bool(schema.get(EMBEDDED))
