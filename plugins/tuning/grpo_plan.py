"""What a training by reinforcement takes: its sessions, their ratings, and the memory beside the engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import TURN_TOKENS, Plan, PlannedCalls, count_wordings
from cbtrun.plugins.dialogue.plan import SYSTEM_TOKENS, planned_session
from cbtrun.plugins.local_models.gguf_model import weights_named
from cbtrun.plugins.local_models.model_files import weights_place
from cbtrun.plugins.raters.rubric import planned_rating
from cbtrun.plugins.tuning.grpo_options import tuning_options
from cbtrun.plugins.tuning.grpo_talk import dialogue_options
from cbtrun.plugins.tuning.tune_memory import memory_checks, memory_note

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Check, PlanContext, StudyView

REFERENCE_PASS = 1 / 3
"""What the pass of the policy that it began as costs, of a pass forwards and backwards: it goes forwards alone."""
MOST_TOKENS = 4096
"""Of a session that a plan takes the memory for, where its turns could make it longer."""


def planned_training(context: PlanContext) -> Plan:
    """Steps x personas x group sessions for each seed, their turns, and the ratings of each."""
    options, study = context.options, context.study
    seeds, steps = len(options["seeds"]), options["steps"]
    sessions = seeds * steps * options["personas_per_step"] * options["group"]
    talk = dialogue_options(study, options)
    calls: Counter[str] = Counter()
    read: Counter[str] = Counter()
    written: Counter[str] = Counter()

    def add(one: PlannedCalls) -> None:
        calls[one.model] += one.calls
        read[one.model] += one.tokens_in
        written[one.model] += one.tokens_out

    for one in planned_session(talk, {"therapist": context.name, "patient": options["patient"]}, sessions):
        add(one)
    rated = _rated(options, study, sessions, seeds)
    each = {name: _ratings_each(options, study, name) for name in rated}
    for name, count in rated.items():
        raters = study.rating_sets[name].options["raters"]
        for rater in raters:
            add(planned_rating(rater, -(-count * each[name] // len(raters)), talk["max_turns"]))
    base = study.base_of(options["start"])
    note = memory_note(context.name, _weights(study, base), _memory_options(talk, options), 1)
    planned = tuple(PlannedCalls(model, calls[model], read[model], written[model]) for model in calls)
    told = f"tune.{context.name}: {seeds} x {steps} steps x {options['personas_per_step']} personas x {options['group']} sessions = "
    told += f"{sessions:,} sessions of at most {talk['max_turns']} turns; "
    told += _ratings_told(options, study, sessions, rated, each)
    return Plan(
        seeds,
        planned,
        (told,),
        (note,),
        in_a_row=steps * (talk["max_turns"] + 1),
        training_tokens=sessions * _session_tokens(talk) * (1 + REFERENCE_PASS * bool(options["beta"])),
    )


def _ratings_each(options: Mapping[str, Any], study: StudyView, name: str) -> int:
    """Ratings of one session by a set; one rater's where the panel takes turns."""
    block = study.rating_sets[name].options
    in_turn = name == options["reward"]["rating"] and options["reward"].get("panel") == "cyclic"
    return int((1 if in_turn else len(block["raters"])) * block.get("repeats", 1) * count_wordings(block))


def _ratings_told(
    options: Mapping[str, Any], study: StudyView, sessions: int, rated: Mapping[str, int], each: Mapping[str, int]
) -> str:
    """How the ratings come about, and what a panel that takes turns would spare."""
    reward = options["reward"]["rating"]
    by_set = ", ".join(f"{name} {count}" for name, count in each.items())
    controls = (rated[reward] - sessions) * each[reward]
    told = f"x {sum(each.values())} ratings of each ({by_set}) = {sessions * sum(each.values()):,} ratings, and {controls:,} of controls"
    raters = len(study.rating_sets[reward].options["raters"])
    if raters > 1 and options["reward"].get("panel") != "cyclic":
        told += f"; with `panel: cyclic` {rated[reward] * (each[reward] - each[reward] // raters):,} fewer"
    return told


def _session_tokens(talk: Mapping[str, Any]) -> int:
    """Of one session, as one row of the training."""
    return int(SYSTEM_TOKENS["therapist"] + talk["max_turns"] * TURN_TOKENS)


def _rated(options: Mapping[str, Any], study: StudyView, sessions: int, seeds: int) -> dict[str, int]:
    """Rating set -> sessions that it rates: the reward's also the controls."""
    reward = options["reward"]["rating"]
    named = [reward, *options["witness"], *([options["veto"]] if options.get("veto") else [])]
    sets = study.rating_sets
    found = {
        max((one for one in sets if name == one or name.startswith(f"{one}.")), key=len): sessions for name in named
    }
    controls = options["controls"]
    looks = -(-options["steps"] // controls["every"]) if controls["kinds"] else 0
    each = min(controls["sessions"], options["personas_per_step"] * options["group"])
    found[reward] += seeds * looks * each * len(controls["kinds"])
    return found


def _weights(study: StudyView, base: str) -> str:
    return weights_place(weights_named(study.models[base].options))


def _memory_options(talk: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    tokens = (talk["max_tokens"]["therapist"] + talk["max_tokens"]["patient"]) * talk["max_turns"] // 2
    return tuning_options(options, min(tokens, MOST_TOKENS))


def memory_beside_engine(context: BlockContext) -> list[Check]:
    """Whether the training fits, beside the share of the card that an engine on it takes."""
    study, options = context.study, context.options
    base = study.base_of(options["start"])
    talk = dialogue_options(study, options)
    checks = memory_checks(context.name, _weights(study, base), _memory_options(talk, options))
    share = study.models[base].options.get("gpu_memory_utilization")
    if share is None:
        return checks
    return [replace(one, found=f"{one.found}, beside an engine that takes {share:.0%} of it") for one in checks]
