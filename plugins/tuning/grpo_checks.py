"""What is wrong with a block of `grpo`, as far as the study and the files on this machine tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from cbtrun.plugins.tuning import sft
from cbtrun.plugins.tuning.grpo_stops import watch_problems

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Problem

LOCAL = ("transformers", "vllm")


def with_base(context: BlockContext) -> BlockContext:
    """The block as `sft` would have it, with the model that it starts from as its base."""
    base = context.study.base_of(str(context.options.get("start", "")).partition("@")[0])
    return replace(context, options={**context.options, "base": base})


def grpo_problems(context: BlockContext) -> list[Problem]:
    """Each with its place."""
    # `base` is no key of this block: what `sft` has to say of it belongs to `start`.
    own = [
        replace(one, place=context.place("start"), path=one.path.removesuffix("base") + "start")
        if one.path.endswith("/base")
        else one
        for one in sft.check_block(with_base(context))
    ]
    return [*own, *_people(context), *_ratings(context), *_sizes(context), *watch_problems(context)]


def _people(context: BlockContext) -> Iterator[Problem]:
    study, personas = context.study, context.options.get("personas")
    if personas and personas == study.sessions.personas:
        yield context.problem(
            f"set '{personas}' is the one that sessions are evaluated with: learn with another, or nothing is shown by them",
            "personas",
        )
    start = study.tune_jobs.get(str(context.options.get("start", "")).partition("@")[0])
    if start is not None and start.name == context.name:
        yield context.problem("a training cannot start from its own adapter", "start")


def _ratings(context: BlockContext) -> Iterator[Problem]:
    """Rating sets that no rubric stands behind, and raters that are the policy itself."""
    sets, options = context.study.rating_sets, context.options
    given = options.get("reward")
    reward: Mapping[str, object] = given if isinstance(given, Mapping) else {}
    named: list[tuple[tuple[str | int, ...], str]] = [(("reward", "rating"), str(reward.get("rating", "")))]
    named += [(("witness", at), str(one)) for at, one in enumerate(options.get("witness") or ())]
    named += [(("veto",), str(options["veto"]))] if options.get("veto") else []
    for path, name in named:
        found = max((one for one in sets if name == one or name.startswith(f"{one}.")), key=len, default="")
        if found and sets[found].using != "rubric":
            what = (
                f"'{found}' is `using: {sets[found].using}`; sessions of a training are rated by `using: rubric` alone"
            )
            yield context.problem(what, *path)


def _sizes(context: BlockContext) -> Iterator[Problem]:
    study, options = context.study, context.options
    wanted, personas = options.get("personas_per_step"), study.personas.get(str(options.get("personas", "")))
    if personas is not None and personas.count is not None and isinstance(wanted, int) and personas.count < wanted:
        what = f"{wanted} patients in a step, and set '{personas.name}' has {personas.count}"
        yield context.problem(what, "personas_per_step")
