"""What leaves this machine: real people's words only with the user's consent, keys only to the hosts they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbtrun.errors import ModelError, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cbtrun.calls.secrets import KeyRing
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study


def holds_real_people(study: Study) -> bool:
    """Whether the study's transcripts may be of real people: it says so, or it imports them and does not say."""
    contains = study.data.get("contains")
    if contains is not None:
        return bool(contains == "real-people")
    return bool((study.data.get("sessions") or {}).get("using") == "import")


def is_remote(study: Study, registry: Registry, model: str) -> bool:
    """Whether a model's plugin sends what it is told to another machine (`x-remote` in its schema)."""
    using = study.data["models"][model]["using"]
    return bool(registry.schema("models", using).get("x-remote", False))


def is_embedded(study: Study, registry: Registry, model: str) -> bool:
    """Whether a model ships with cbtrun (`x-embedded` in its plugin's schema, or a model named `cbtrun:...`)."""
    block = study.data["models"][model]
    shipped = registry.schema("models", block["using"]).get("x-embedded", False)
    return bool(shipped) or str(block.get("model", "")).startswith("cbtrun:")


def check_consent(study: Study, registry: Registry, consent: bool) -> None:
    """Refuse to send transcripts of real people to a remote model. Raises SpecError naming each place."""
    if consent or not holds_real_people(study):
        return
    blocks = [("sessions", ""), *(("ratings", name) for name in study.data.get("ratings") or {})]
    remote = [
        (block, name, one)
        for block, name in blocks
        for one in study.references(block, name)
        if one.kind == "models" and is_remote(study, registry, one.name)
    ]
    if remote:
        raise SpecError([_refusal(study, block, name, one.name) for block, name, one in remote])


def _refusal(study: Study, block: str, name: str, model: str) -> Problem:
    path = (block, name) if name else (block,)
    return Problem(
        study.place(*path),
        "/".join(path),
        f"would send transcripts of real people to the remote model '{model}'; add --consent-remote if you may do "
        "that, or say `contains: none` if nobody real speaks in them",
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
