"""What leaves this machine: real people's words only with the user's consent, keys only to the hosts they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbtrun.errors import ModelError, Problem, SpecError
from cbtrun.study.model_kinds import is_remote, refusal
from cbtrun.study.origins import real_people_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cbtrun.keys.secrets import KeyRing
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study


def check_consent(study: Study, registry: Registry, consent: bool) -> None:
    """Refuse, before anything runs, to send words of real people to a remote model. Raises SpecError naming each place.

    It is found here so that nothing is begun in vain; what holds a request back is the desk that it goes through.
    """
    from cbtrun.study.graph import NAMED, ordered_stages

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
