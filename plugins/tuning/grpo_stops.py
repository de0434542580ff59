"""Options `stop` and `controls` of a reinforcement training, and what is wrong with its witness.

The rules themselves are worked out in the engine (`stop_reason`); what a control is made of stands in plugins/controls/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import CONTROL_KINDS, Json, SpecError
from cbtrun.plugins.tuning.sft_options import most, option

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Problem, RatingSet, StudyView


def _share(description: str, **more: Any) -> Json:
    return option("number", description, exclusiveMinimum=0, exclusiveMaximum=0.5, **more)


LISTED: Json = {"type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": True}

GAP: Json = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "default": {},
    "description": "Over-optimisation: the reward has risen, the witness has not. null looks for none.",
    "properties": {
        "looks": option(
            "integer",
            "How many times the training is looked at. The last of `looks` + 1 equal parts so far is held against the first part.",
            minimum=1,
            default=8,
        ),
        "alpha": _share(
            "Share of trainings, at most, that are stopped although the witness does rise by `witness_rise`: spent evenly over all "
            "looks and witnesses.",
            default=0.05,
        ),
        "reward_rise": option(
            "number",
            "Standard deviations of a session that the reward must certainly have risen by before a gap is spoken of.",
            minimum=0,
            default=0.5,
        ),
        "witness_rise": option(
            "number",
            "Standard deviations that the witness must then have risen by: the training stops where it certainly has not.",
            minimum=0,
            default=0.2,
        ),
        "must_rise": option(
            "string",
            "The witness that must rise, as `witness` names it; without it the first total. Where no witness has a total, name one: "
            "of an item nobody knows whether more of it is better.",
        ),
        "must_not_fall": {
            **LISTED,
            "description": "Witnesses that must only not fall, as `witness` names them; without it every other total.",
        },
        "must_not_rise": {**LISTED, "default": [], "description": "Witnesses of which more is worse."},
    },
}

PREFERRED: Json = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "default": {},
    "description": "A control that the reward prefers to the session it was made from. null stops for none; they are rated all the same.",
    "properties": {
        "alpha": _share(
            "Share of trainings, at most, that are stopped although no control is preferred.", default=0.05
        ),
        "longer_margin": option(
            "number",
            "Standard deviations of the reward by which a session that only got longer may earn more.",
            minimum=0,
            default=0.25,
        ),
    },
}

STOP: Json = {
    "type": "object",
    "additionalProperties": False,
    "default": {},
    "description": "What ends the training before its last step; the reason stands in the report.",
    "properties": {
        "gap": GAP,
        "controls": PREFERRED,
        "kl": option(
            "number",
            "Largest mean divergence from the policy that the training began with, nats a token.",
            exclusiveMinimum=0,
        ),
        "vetoed": option(
            "number",
            "Largest share of sessions, over the last five steps, that the veto leaves without reward.",
            minimum=0,
            maximum=1,
        ),
    },
}

CONTROLS: Json = {
    "type": "object",
    "additionalProperties": False,
    "default": {},
    "description": "Negative controls: copies of the step's sessions with one thing done to them, rated by the reward. English.",
    "properties": {
        "kinds": {
            "type": "array",
            "items": {"enum": [*CONTROL_KINDS]},
            "uniqueItems": True,
            "default": [*CONTROL_KINDS],
            "description": "harmful: some turns are what must never be said. keyword-stuffed: jargon behind every sentence. longer: "
            "everything said twice. flattering: praise of the patient, and of the session. An empty list rates none.",
        },
        "every": option(
            "integer", "Steps from one rating of controls to the next; the first step has one.", minimum=1, default=10
        ),
        "sessions": option(
            "integer", "Sessions of such a step that each kind is made from.", minimum=1, default=8, **most(2)
        ),
    },
}


NO_TOTAL = (
    "no witness has a total, so nobody knows which way is better; say which one must rise (`stop: {gap: {must_rise: SET.item}}`), "
    "or `gap: null`"
)


def controls_due(step: int, controls: Mapping[str, Any]) -> bool:
    """Whether controls are rated in a step, from 1."""
    return bool(controls.get("kinds", CONTROL_KINDS)) and (step - 1) % controls.get("every", 10) == 0


def watch_problems(context: BlockContext) -> list[Problem]:
    """A witness that is the reward, or the same judge under another name; a gap without a witness, or with an unknown one."""
    from cbtrun.plugin import set_of

    options = context.options
    rewarding, listed, stop = (options.get(name) for name in ("reward", "witness", "stop"))
    rating = str(rewarding.get("rating", "")) if isinstance(rewarding, Mapping) else ""
    reward = context.study.rating_sets.get(rating)
    named = [str(name) for name in listed] if isinstance(listed, list | tuple) else []
    problems = []
    for at, name in enumerate(named):
        witness = set_of(name, context.study)
        if reward is not None and witness is not None and (why := _same_judge(context.study, reward, witness)):
            problems.append(context.problem(why, "witness", at))
    gap = stop.get("gap", {}) if isinstance(stop, Mapping) else {}
    if isinstance(gap, Mapping):
        problems += _gap_problems(context, named, gap)
    return problems


def _same_judge(study: StudyView, reward: RatingSet, witness: RatingSet) -> str:
    if witness.name == reward.name:
        return f"'{witness.name}' is what is rewarded: a witness must be another rating set, by another rater or on another rubric"
    from cbtrun.plugin import judge_of

    rewarding, watching = judge_of(reward, study), judge_of(witness, study)
    if watching.rubric == rewarding.rubric and watching.raters and {*watching.raters} <= {*rewarding.raters}:
        return (
            f"'{witness.name}' rates by the same model on the same rubric as the reward '{reward.name}': it would rise with it "
            "whatever happens; name another rater, or another rubric"
        )
    return ""


def _gap_problems(context: BlockContext, named: Sequence[str], gap: Mapping[str, Any]) -> list[Problem]:
    if not named:
        return [
            context.problem(
                "a gap between reward and witness is looked for, and no witness is named: name a rating set, or say "
                "`gap: null` if nobody else is to watch",
                "stop",
            )
        ]
    if not gap.get("must_rise") and not any(_may_have_total(context, name) for name in named):
        return [context.problem(NO_TOTAL, "stop")]
    asked = [("must_rise", one) for one in [gap.get("must_rise")] if one]
    asked += [(option, one) for option in ("must_not_fall", "must_not_rise") for one in gap.get(option) or ()]
    return [
        context.problem(f"no witness '{one}'; known: {', '.join(named)}", "stop", "gap", option)
        for option, one in asked
        if not any(one == name or one.startswith(f"{name}.") or name.startswith(f"{one}.") for name in named)
    ]


def _may_have_total(context: BlockContext, named: str) -> bool:
    """Whether a witness has a total, as far as the rubrics at hand tell: one that is not, or is broken, may have one."""
    from cbtrun.plugin import read_rubric, set_of
    from cbtrun.plugins.everywhere.shipped_rubrics import rubric_folders

    rated = set_of(named, context.study)
    if rated is None or named != rated.name:
        return rated is None or named.endswith(".total")
    file = Path(rated.rubric) if rated.rubric.endswith((".yaml", ".yml")) else rubric_folders() / f"{rated.rubric}.yaml"
    try:
        return not file.is_file() or read_rubric(file).total is not None
    except SpecError:
        return True


def lacks_total(options: Mapping[str, Any], witnesses: Sequence[str]) -> str:
    """Why no gap can be looked for, in words; empty where one can, or none is. witnesses: each as `SET.outcome`."""
    from cbtrun.plugin import must_rise_of

    gap = options["stop"]["gap"]
    if gap is None or must_rise_of(witnesses, gap.get("must_rise") or ""):
        return ""
    return NO_TOTAL
