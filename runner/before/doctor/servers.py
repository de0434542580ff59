"""Keys and servers: are the keys there and, asked for with `--online`, are they accepted, and do the servers know the models?

A question to a server costs nothing (its list of models), but for one of a few tokens, which says what roles it takes.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from cbtrun.calls.kept_replies import one_line
from cbtrun.calls.transport import Answer, Patience, Transport
from cbtrun.contract.check import Check, ServerContext, ServerQuestion
from cbtrun.contract.marks import is_remote
from cbtrun.contract.models import Model, ModelContext, TellsRoles
from cbtrun.documents.schema_words import did_you_mean
from cbtrun.errors import AccessRefused, CbtrunError, ModelError, ServerFault, ServerTrouble

if TYPE_CHECKING:
    from cbtrun.contract.study_blocks import ModelBlock
    from cbtrun.keys.secrets import KeyRing
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study

MOST_SHOWN, LONGEST_NAME = 20, 120
"""Names of models that are shown, and characters of each."""
PATIENCE = Patience(whole_seconds=20.0)
CLOCK_SECONDS = 300.0
"""How far our clock may be from a server's: beyond that, certificates and signed requests begin to fail."""


def server_checks(study: Study, registry: Registry, keys: KeyRing, *, online: bool) -> Iterator[Check]:
    """One line for each remote model, and with `online` one more for its server."""
    for name, model in study.models.items():
        if not is_remote(registry.schema("models", model.using)):
            continue
        if not model.base_url:
            yield Check("note", f"server of {name}", f"'{model.using}' has no option `base_url`: it was not looked at")
            continue
        for address in model.base_urls:
            yield from _server_checks(study, registry, keys, replace(model, base_url=address), online=online)


def _server_checks(
    study: Study, registry: Registry, keys: KeyRing, model: ModelBlock, *, online: bool
) -> Iterator[Check]:
    """The lines for one server, the block's `base_url`."""
    try:
        url = keys.address(model.base_url)
        secret = keys.key(model.api_key_env or None, url)
        proxy = keys.proxy(model.api_key_env or None, url)
    except ModelError as error:
        yield Check("stop", f"key of {model.name}", str(error))
        return
    held = f"{model.api_key_env} is set and may go to {url}" if secret else f"none is needed for {url}"
    yield Check("ok", f"key of {model.name}", held)
    if online:
        asked = ServerContext(url, model.model, secret.reveal() if secret else "")
        question = registry.question(model.using, asked) or _usual_question(asked)
        found = list(_asked(model, question.address, Transport(url, question.headers, PATIENCE, proxy)))
        yield from found
        if all(check.state != "stop" for check in found):
            yield from _roles(study, registry, keys, model)


def _asked(block: ModelBlock, address: str, transport: Transport) -> Iterator[Check]:
    subject, model, url = f"server of {block.name}", block.model, transport.url
    try:
        answer, listing = asyncio.run(_ask(address, transport))
    except (ServerFault, AccessRefused) as error:
        yield Check("stop", subject, f"{url} does not answer ({error})", "check the address, the network and the proxy")
        return
    if answer.status in (401, 403):
        yield Check("stop", subject, f"{url} does not accept the key in {block.api_key_env}", "renew it there")
    elif answer.status >= 500 or answer.status == 429:
        yield Check("stop", subject, f"{url} answers {answer.status}", "try again later")
    elif (known := _knows(answer, model)) is False:
        names = _names(listing)
        meant = did_you_mean(model, names) if names else ""
        advice = f"choose one that it lists: {_shown(names)}" if names else "choose one that it lists under /models"
        yield Check("stop", subject, f"{url} has no model '{model}'{meant}", advice)
    elif known is None:
        yield Check("note", subject, f"{url} answers, but does not list its models ({answer.status})")
    else:
        others = [name for name in _names(listing) if name != model]
        beside = f", and also {_shown(others)}" if others else ""
        yield Check("ok", subject, f"{url} answers and has '{model}'{beside}")
    yield from _clock(answer)


def _roles(study: Study, registry: Registry, keys: KeyRing, block: ModelBlock) -> Iterator[Check]:
    """Which roles the server takes, where its protocol leaves that to the model's template: by one call of a few tokens."""
    options = {**study.options("models", block.name), "base_url": block.base_url}
    model: Model = registry.run("models", block.using, ModelContext(block.name, options, keys=keys))
    if not isinstance(model, TellsRoles):
        return
    subject = f"roles of {block.name}"
    try:
        yield Check("ok", subject, f"its server {asyncio.run(_told_roles(model, model.roles))}")
    except (CbtrunError, ServerTrouble) as error:
        yield Check("note", subject, f"not found out: {error}")


async def _told_roles(model: Model, roles: Callable[[], Awaitable[str]]) -> str:
    try:
        return await roles()
    finally:
        await model.close()


def _usual_question(asked: ServerContext) -> ServerQuestion:
    """The list of models, as most servers have it."""
    return ServerQuestion(f"{asked.url}/models", {"Authorization": f"Bearer {asked.key}"} if asked.key else {})


async def _ask(address: str, transport: Transport) -> tuple[Answer, Answer]:
    """The answer to the question, and the list of models: the same, or asked for where one model is not known."""
    try:
        answer = await transport.ask("GET", address, {})
        whole, one, _ = address.rpartition("/models/")
        listing = await transport.ask("GET", f"{whole}/models", {}) if one and answer.status == 404 else answer
        return answer, listing
    finally:
        await transport.close()


def _knows(answer: Answer, model: str) -> bool | None:
    """Whether a server has a model; none when its answer does not say."""
    if answer.status == 404 and not answer.text.lstrip().startswith("<"):
        return False
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    if answer.status != 200 or not isinstance(found, dict):
        return None
    listed = found.get("data")
    if not isinstance(listed, list):
        return "name" in found or "id" in found or None  # one model, asked for by its name
    return model in _names(answer)


def _names(answer: Answer) -> list[str]:
    """The models that an answer lists, as a study names them; none where it lists none."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return []
    listed = found.get("data") or found.get("models") if isinstance(found, dict) else None
    if answer.status != 200 or not isinstance(listed, list):
        return []
    names = [str(one.get("id") or one.get("name") or "") for one in listed if isinstance(one, dict)]
    return [one_line(name.removeprefix("models/"), LONGEST_NAME) for name in names if name]


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_SHOWN:,} more" if len(names) > MOST_SHOWN else ""
    return f"{', '.join(names[:MOST_SHOWN])}{more}"


def _clock(answer: Answer) -> Iterator[Check]:
    try:
        theirs = parsedate_to_datetime(answer.headers.get("Date", "")).timestamp()
    except (TypeError, ValueError, OverflowError):
        return
    off = abs(time.time() - theirs)
    if off > CLOCK_SECONDS:
        yield Check("stop", "clock", f"{off / 60:.0f} minutes from the server's", "set this machine's clock")
