"""Which models of a study are asked over a network, which ship with cbtrun, and when one is not asked at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbtrun.contract import marks

if TYPE_CHECKING:
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study


def is_remote(study: Study, registry: Registry, model: str) -> bool:
    """Whether a model's plugin sends what it is told to another machine (`x-remote` in its schema).

    model: a model of the study, or a tune job (`job`, `job@seed`), whose base is asked.
    """
    behind = [study.models[name] for name in study.models_behind(model)]
    return any(marks.is_remote(registry.schema("models", one.using)) for one in behind)


def is_embedded(study: Study, registry: Registry, model: str) -> bool:
    """Whether a model ships with cbtrun (`x-embedded` in its plugin's schema, or a model named `cbtrun:...`)."""
    block = study.models[model]
    return marks.is_embedded(registry.schema("models", block.using)) or block.ships


def refusal(model: str, why: str) -> str:
    """Why a model is not asked, and what would let it."""
    return (
        f"would send words of real people to the remote model '{model}' ({why}); add --consent-remote if you may do "
        "that, or say `contains: none` in the file that names the data (or --set contains=none) if nobody real speaks in it"
    )


def runs_elsewhere(study: Study, registry: Registry, model: str) -> bool:
    """Whether a model's replies are made on the machines of a cluster, where a run has one.

    model: a model of the study, or a tune job (`job`, `job@seed`), whose base is asked.
    """
    behind = [study.models[name] for name in study.models_behind(model)]
    return any(
        marks.elsewhere(registry.schema("models", one.using)) and not registry.is_local(one.using) for one in behind
    )


def refusal_elsewhere(what: str, on: str, why: str) -> str:
    """Why something is not sent to a cluster, and what would let it."""
    return (
        f"would send words of real people to the machines of the cluster that --on names ({on}), for {what} ({why}); they count "
        "as remote until a file of yours says `trusted: yes` (--on where.yaml); or add --consent-remote if you may do that"
    )
