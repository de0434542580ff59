"""Options of the `grpo` plugin: who talks, who rates, what is learnt from it, and what ends it early."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cbtrun.plugin import Json
from cbtrun.plugins.tuning.grpo_stops import CONTROLS, STOP
from cbtrun.plugins.tuning.sft_options import KEEPING, LORA, MACHINE, OPTIMISING, most, option

REWARD: Json = {
    "type": "object",
    "required": ["rating"],
    "additionalProperties": False,
    "description": "What a session earns: where its rating stands on the reward's scale, from 0 to 1.",
    "properties": {
        "rating": option(
            "string",
            "The rating set whose raters and rubric rate each session, as the set's own block says. Its stage is not waited for.",
            **{"x-names": "judges"},
        ),
        "outcome": option("string", "Its `total`, a subscale or an item.", default="total", **{"x-names": "score"}),
        "items": {
            "anyOf": [
                {"type": "array", "items": {"type": "string", "x-names": "score"}, "minItems": 1, "uniqueItems": True},
                {
                    "type": "object",
                    "required": ["from"],
                    "additionalProperties": False,
                    "properties": {
                        "from": option(
                            "string",
                            "results.json of a study that checked these raters on this rubric: the items that proved reliable there. "
                            "Its digest is part of what the training was made from.",
                            **{"x-names": "file", "x-words": False},
                        ),
                        "least": option(
                            "number",
                            "An item is reliable where the lower end of the 95 % interval of its agreement (ICC(2,1), else alpha) "
                            "reaches this.",
                            minimum=0,
                            maximum=1,
                            default=0.5,
                        ),
                    },
                },
            ],
            "description": "Items whose points are added up instead of the outcome: a list, or those that proved reliable elsewhere.",
        },
        "panel": {
            "enum": ["all", "cyclic"],
            "default": "all",
            "description": "Who rates a session: all raters of the set, or one of them, in turn from group to group (within a "
            "group the same). A panel of three costs a third that way.",
        },
    },
}

TALK: Json = {
    "max_turns": option(
        "integer", "Most turns of a session, both sides; without it as under `sessions`.", minimum=1, **most(6)
    ),
    "max_tokens": {
        "type": "object",
        "additionalProperties": False,
        "description": "Most tokens of a turn; without it as under `sessions`.",
        "properties": {
            "therapist": option("integer", "Of the policy.", minimum=1, **most(24)),
            "patient": option("integer", "Of the patient.", minimum=1),
        },
    },
    "system": option("string", "The therapist's system prompt, a template; without it as under `sessions`."),
    "patient_system": option("string", "The patient's system prompt, a template; without it as under `sessions`."),
}

SCHEMA: Json = {
    "type": "object",
    "required": ["start", "patient", "personas", "reward"],
    "additionalProperties": False,
    "properties": {
        "start": option(
            "string",
            "What the policy is at first: a `transformers` or `vllm` model of the study, or a tune job, whose adapter is trained on.",
            **{"x-names": ["tune", "models"]},
        ),
        "patient": option("string", "The model that plays the patients.", **{"x-names": "models"}),
        "personas": option(
            "string",
            "The patients that it learns with; never those that the sessions are held with.",
            **{"x-names": "personas"},
        ),
        "reward": REWARD,
        "witness": {
            "type": "array",
            "items": option("string", "A rating set, or an outcome of one.", **{"x-names": ["judges", "judged"]}),
            "uniqueItems": True,
            "default": [],
            "description": "Rated in every session and never rewarded: what the reward is held against.",
        },
        "veto": option(
            "string",
            "An item (SET.ITEM) without which a session earns nothing. Where it does not apply nothing is asked; where it should have "
            "a score and has none, the session earns nothing as well.",
            **{"x-names": "judged"},
        ),
        "group": option(
            "integer",
            "Sessions of one persona and one seed of the patient that are held against each other.",
            minimum=2,
            default=8,
            **most(2),
        ),
        "steps": option(
            "integer", "Updates of the policy.", minimum=1, maximum=10_000, default=100, **most(2, always=True)
        ),
        "personas_per_step": option("integer", "Groups in a step.", minimum=1, default=4, **most(1)),
        **TALK,
        "temperature": option(
            "number",
            "At which the policy speaks while it learns, whatever its model's block says: sessions that are all alike teach nothing.",
            exclusiveMinimum=0,
            maximum=2,
            default=1.0,
        ),
        "learning_rate": option("number", "Highest learning rate of AdamW.", exclusiveMinimum=0, default=1e-5),
        **{name: OPTIMISING[name] for name in ("warmup_ratio", "weight_decay", "clip")},
        "schedule": {**OPTIMISING["schedule"], "default": "constant"},
        "beta": option(
            "number",
            "Weight of the divergence from the policy that it began as. 0 lets it go, and nobody measures it.",
            minimum=0,
            default=0.02,
        ),
        "scale": {
            "enum": ["group", "batch", "none"],
            "default": "group",
            "description": "What a reward above its group's mean is divided by: the group's SD (Shao et al. 2024, arXiv:2402.03300), "
            "the step's, or nothing (Liu et al. 2025, arXiv:2503.20783).",
        },
        "batch_size": option(
            "integer", "Sessions in one pass; a step takes as many passes as it needs.", minimum=1, default=4, **most(1)
        ),
        "lora": {
            **LORA,
            "description": f"{LORA['description']} Of a start that is a model: an adapter is trained on in its own layers.",
        },
        "stop": STOP,
        "controls": CONTROLS,
        **{
            name: MACHINE[name]
            for name in (
                "precision",
                "quantisation",
                "double_quantisation",
                "attention",
                "checkpointing",
                "device",
                "threads",
            )
        },
        "seeds": KEEPING["seeds"],
        "keep": option(
            "integer", "Also keep the adapter of every so many steps; 0 keeps the last alone.", minimum=0, default=0
        ),
    },
}

NOT_DECIDING = ("threads", "device", "seeds", "using", "start", "patient", "personas", "keep")
"""Options that a finished adapter does not depend on by their words: names, and where it was made."""
FIXED = {"liger": False, "compile": False, "sharding": False, "devices": 1, "report_to": (), "packing": False}
"""What `sft` has options for, and sessions do not need."""


def tuning_options(options: Mapping[str, Any], max_length: int = 2048) -> dict[str, Any]:
    """The options as what loads, measures and checks a training reads them. max_length: tokens of a session at most."""
    return {**options, **FIXED, "max_length": max_length}
