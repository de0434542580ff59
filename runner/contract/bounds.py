"""How large a number may be, wherever a schema says no bound of its own: beyond these no machine could do what is asked.

One table, by the name of the key. It fills schemas in at their door (`bounded`), those of others' plugins too: a number that
the table does not name has the widest bounds there are. So `devices: 1000` is refused with its line before anything starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from cbtrun.contract.records import Json

SEED = 2**63 - 1
TORCH_SEED = 2**32 - 1
"""Generators of numpy and torch take no larger one."""
WIDEST_NUMBER, WIDEST_INTEGER = 1e15, 2**63 - 1
"""For a name that stands nowhere below: what still counts as a number in every library and file."""

_GROUPS: tuple[tuple[float, str], ...] = (
    # Tokens, and what is made of them
    (10_000_000, "max_tokens max_length max_model_len max_num_batched_tokens long_prefill_token_threshold session"),
    (10_000_000, "therapist patient"),  # max_tokens of a role
    (1_000_000_000, "batch_tokens"),
    (10**15, "tokens"),
    (1_000_000, "top_k max_turn_words min_turns first"),
    (100_000_000, "max_chars"),
    # Sampling
    (100, "temperature repetition_penalty"),
    # Servers
    (86_400, "timeout_seconds longest_wait_seconds"),
    (3_600, "connect_seconds first_wait_seconds"),
    (30 * 86_400, "patience_seconds"),
    (1_024, "max_reply_mib"),
    (10_000, "concurrency"),
    (1e9, "requests_per_minute"),
    (1e12, "tokens_per_minute"),
    (1_000, "tries"),
    (1_000_000, "faults_to_stop"),
    (1e6, "input output"),  # dollars for a million tokens
    # What a study may come to
    (1e9, "usd"),
    (1e6, "hours"),
    # Machines
    (64, "devices tensor_parallel_size pipeline_parallel_size"),
    (256, "threads max_parallel_loading_workers"),
    (512, "group"),
    (1_000_000, "prefix_mib"),
    (65_536, "max_num_seqs max_num_partial_prefills max_long_partial_prefills"),
    (65_536, "cudagraph_capture_sizes max_cudagraph_capture_size compile_sizes"),
    (1_024, "max_loras limit_mm_per_prompt"),
    (100_000, "swap_space cpu_offload_gb kv_offloading_size mm_processor_cache_gb"),
    (2**50, "kv_cache_memory_bytes"),
    (2**31 - 1, "num_gpu_blocks_override"),
    # Training
    (1, "learning_rate"),
    (65_536, "personas_per_step"),
    (1_000, "looks"),
    (100, "reward_rise witness_rise longer_margin"),
    (1_000, "kl"),
    (1_000_000, "keep"),
    (10, "weight_decay"),
    (1_000, "beta"),
    (1_000_000, "alpha clip"),
    (4_096, "rank"),
    (65_536, "batch_size gradient_accumulation"),
    (100_000_000, "max_steps every checkpoint_steps"),
    (100_000, "epochs"),
    (1_000_000, "checkpoint_minutes"),
    (TORCH_SEED, "seeds"),
    (SEED, "seed"),
    # Sessions, courses, personas
    (10_000, "max_turns repeats repeat last_turns most carry turns fewer_turns_than openings"),
    (1_000, "sessions arms_at_once"),
    (100_000, "courses session_number number turn"),
    (100, "symptoms"),
    (1e9, "weight themes gender risk engagement_style disclosure_style partner severity"),
    # Scores
    (1e6, "points score low high threshold mean sd se sds difference least_difference margin measures"),
    (1e9, "n"),
    (10_000, "back shared_words at_least fewest_words over"),
    # The report
    (10_000, "max_page_megabytes"),
    (10_000_000, "max_page_sessions"),
    # Values of a table's cells, such as ids
    (WIDEST_INTEGER, "where values"),
)  # fmt: skip
MOST: Mapping[str, float] = MappingProxyType({name: most for most, names in _GROUPS for name in names.split()})
"""Name of a key -> the largest number there."""
_MOVES = frozenset({"properties", "$defs", "patternProperties"})
_IS_DATA = frozenset({"default", "enum", "const", "examples", "required"})


def bounded(schema: Json) -> Json:
    """A copy of a schema in which each number has a least and a largest value; those that it states itself stay."""
    filled: Json = _bounded(schema, "")
    return filled


def _bounded(part: Any, name: str) -> Any:
    if isinstance(part, list):
        return [_bounded(one, name) for one in part]
    if not isinstance(part, Mapping):
        return part
    found = {
        key: inner if key in _IS_DATA or key.startswith("x-") else _inside(key, inner, name)
        for key, inner in part.items()
    }
    return {**found, **missing_bounds(found, name)} if is_number(found) else found


def _inside(key: str, inner: Any, name: str) -> Any:
    if key in _MOVES and isinstance(inner, Mapping):
        return {child: _bounded(value, child if key == "properties" else name) for child, value in inner.items()}
    return _bounded(inner, name) if isinstance(inner, Mapping | list) else inner


def is_number(part: Mapping[str, Any]) -> bool:
    """Whether a schema speaks of numbers that it does not list one by one."""
    kinds = part.get("type")
    named: Iterable[Any] = kinds if isinstance(kinds, list) else [kinds]
    return any(one in ("number", "integer") for one in named) and "enum" not in part and "const" not in part


def missing_bounds(part: Mapping[str, Any], name: str) -> dict[str, float]:
    """`minimum` and `maximum` of a number's schema, where it has none. name: of the key that the number stands under."""
    most = MOST.get(name, WIDEST_INTEGER if part.get("type") == "integer" else WIDEST_NUMBER)
    most = int(most) if float(most).is_integer() else most  # `at most 1000000`, not `1000000.0`
    found: dict[str, float] = {}
    if "minimum" not in part and "exclusiveMinimum" not in part:
        found["minimum"] = -most
    if "maximum" not in part and "exclusiveMaximum" not in part:
        found["maximum"] = most
    return found
