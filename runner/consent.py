"""What leaves this machine: real people's words only with the user's consent, keys only to the hosts they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbtrun.contract import marks
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
    models = study.data.get("models") or {}
    job = model.partition("@")[0]
    if model not in models and job in (study.data.get("tune") or {}):
        named = [one.name for one in study.references("tune", job) if one.kind == "models"]
        return any(is_remote(study, registry, base) for base in named)
    return marks.is_remote(registry.schema("models", models[model]["using"]))


def is_embedded(study: Study, registry: Registry, model: str) -> bool:
    """Whether a model ships with cbtrun (`x-embedded` in its plugin's schema, or a model named `cbtrun:...`)."""
    block = study.data["models"][model]
    shipped = marks.is_embedded(registry.schema("models", block["using"]))
    return shipped or str(block.get("model", "")).startswith("cbtrun:")


def check_consent(study: Study, registry: Registry, consent: bool) -> None:
    """Refuse, before anything runs, to send words of real people to a remote model. Raises SpecError naming each place.

    It is found here so that nothing is begun in vain; what holds a request back is the desk that it goes through.
    """
    from cbtrun.stages import NAMED, ordered_stages

    if consent:
        return
    theirs = real_people_in(study, registry)
    problems: list[Problem] = []
    for stage in ordered_stages(study):
        if stage.id not in theirs:
            continue
        own = (stage.block, stage.name) if stage.block in NAMED else (stage.block,)
        arms = [("arms", arm) for arm in study.data.get("arms") or {}] if stage.block == "sessions" else []
        for path in (own, *arms):
            for one in study.references(path[0], "".join(path[1:])):
                if one.kind == "models" and is_remote(study, registry, one.name):
                    problems.append(Problem(study.place(*one.at), "/".join(path), refusal(one.name, theirs[stage.id])))
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
    for name, block in (study.data.get("models") or {}).items():
        if not block.get("base_url"):
            continue
        step = "base_url"
        try:
            url = keys.address(block["base_url"])
            step = "api_key_env"
            keys.key(block.get("api_key_env"), url)
        except ModelError as error:
            yield Problem(study.place("models", name, step), f"models/{name}/{step}", str(error))
