"""What leaves this machine: real people's words only with the user's consent, keys only to the hosts they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbtrun.errors import ModelError, Problem, SpecError
from cbtrun.origins import real_people_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cbtrun.calls.secrets import KeyRing
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study


def is_remote(study: Study, registry: Registry, model: str) -> bool:
    """Whether a model's plugin sends what it is told to another machine (`x-remote` in its schema).

    model: a model of the study, or a tune job (`job`, `job@seed`), whose base is asked.
    """
    behind = [study.models[name] for name in study.models_behind(model)]
    return any(registry.schema("models", one.using).get("x-remote", False) for one in behind)


def is_embedded(study: Study, registry: Registry, model: str) -> bool:
    """Whether a model ships with cbtrun (`x-embedded` in its plugin's schema, or a model named `cbtrun:...`)."""
    block = study.models[model]
    shipped = registry.schema("models", block.using).get("x-embedded", False)
    return bool(shipped) or block.ships


def check_consent(study: Study, registry: Registry, consent: bool) -> None:
    """Refuse, before anything runs, to send words of real people to a remote model. Raises SpecError naming each place.

    It is found here so that nothing is begun in vain; what holds a request back is the desk that it goes through.
    """
    from cbtrun.stages import ordered_stages
    from cbtrun.study.stage_kinds import block_path

    if consent:
        return
    theirs = real_people_in(study, registry)
    problems: list[Problem] = []
    for stage in ordered_stages(study):
        if stage.id not in theirs:
            continue
        for one in study.models_named_by(stage.id):
            if one.kind == "models" and is_remote(study, registry, one.name):
                block = "/".join(block_path(*map(str, one.at[:2])))
                problems.append(Problem(study.place(*one.at), block, refusal(one.name, theirs[stage.id])))
    if problems:
        raise SpecError(problems)


def refusal(model: str, why: str) -> str:
    """Why a model is not asked, and what would let it."""
    return (
        f"would send words of real people to the remote model '{model}' ({why}); add --consent-remote if you may do "
        "that, or say `contains: none` in the file that names the data (or --set contains=none) if nobody real speaks in it"
    )


def check_keys(study: Study, keys: KeyRing, *, offline: bool) -> None:
    """Refuse, before anything runs, addresses that cannot be called and keys that are missing or go elsewhere.

    An offline run calls nobody and needs neither. Raises SpecError naming each place; no message shows a key.
    """
    problems = [] if offline else list(_key_problems(study, keys))
    if problems:
        raise SpecError(problems)


def _key_problems(study: Study, keys: KeyRing) -> Iterator[Problem]:
    for name, model in study.models.items():
        if not model.base_url:
            continue
        step = "base_url"
        try:
            url = keys.address(model.base_url)
            step = "api_key_env"
            keys.key(model.api_key_env or None, url)
        except ModelError as error:
            yield Problem(study.place("models", name, step), f"models/{name}/{step}", str(error))
