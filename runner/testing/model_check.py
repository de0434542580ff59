"""What every model plugin must keep to, as one check that its author can call from a test.

It looks at the model's own behaviour: identity, answers, refusals, cancellation, closing. It does not look at how good the
answers are, and sends nothing anywhere that the model does not send itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cbtrun.contract.models import Model, Reply, Request
from cbtrun.errors import ModelError

SIDE_BY_SIDE = 6  # replies asked for at once
SECRET_NAME = re.compile(r"(_KEY|_TOKEN|_SECRET|PASSWORD)$")
SHORTEST_SECRET = 8  # characters: a shorter value of an environment variable is found by chance


class NotConforming(AssertionError):
    """A model plugin does what none may do; the message says what and why it matters."""


@dataclass(frozen=True)
class ModelCase:
    """A model and what to ask it."""

    open: Callable[[], Model]
    """Opens the model anew, as `open_model` would."""
    request: Request
    """One that it can answer."""
    refused: Request | None = None
    """One that it must refuse with ModelError, because asking again cannot help."""
    structured: Request | None = None
    """One with a `schema`, for models whose answers follow it."""
    deterministic: bool = True
    """Whether the same request must get the same text; not so for a paid API."""
    secrets: tuple[str, ...] = ()
    """Values that must stand in no identity, besides those of environment variables that look like keys."""


def check_model(case: ModelCase) -> None:
    """Run every check. Raises NotConforming with the first that fails."""
    _check_identity(case)
    asyncio.run(_check_answers(case))
    asyncio.run(_check_side_by_side(case))
    asyncio.run(_check_cancelling(case))
    if case.structured is not None:
        asyncio.run(_check_structured(case, case.structured))
    if case.refused is not None:
        asyncio.run(_check_refusal(case, case.refused))


def _check_identity(case: ModelCase) -> None:
    """Part of the journal's key: whole, the same for the same model, fit to be published."""
    first, second = case.open(), case.open()
    try:
        written = json.dumps(first.identity, sort_keys=True)
    except TypeError as error:
        raise NotConforming(f"identity is no plain JSON ({error}); it is hashed into the journal's key") from error
    _demand(isinstance(first.identity, Mapping) and bool(first.identity), "identity is empty; say what decides answers")
    same = written == json.dumps(second.identity, sort_keys=True)
    _demand(same, "the same block opened twice has two identities; replies would be paid for twice")
    for text in _texts(first.identity):
        _demand(not _is_path(text), f"identity holds a path ({text}); give a digest of the file instead")
        _demand(not _holds_secret(text, case.secrets), "identity holds a key; it is published with the journal")
    asyncio.run(_close(first, second))


async def _check_answers(case: ModelCase) -> None:
    """A reply is a Reply; the same request gets the same text, also from a model that was opened anew."""
    model = case.open()
    try:
        reply = await model.reply(case.request)
        _demand(isinstance(reply, Reply), f"reply gave {type(reply).__name__}, not Reply")
        _demand(isinstance(reply.text, str), f"Reply.text is {type(reply.text).__name__}, not text")
        _demand(reply.tokens_in >= 0 and reply.tokens_out >= 0, "token counts below 0")
        _demand(bool(reply.finish), "Reply.finish is empty; `stop`, `length` or `filter` are usual")
        _demand(reply.usd is None or reply.usd >= 0, "a reply that costs less than nothing")
    finally:
        await model.close()
    if case.deterministic:
        other = case.open()
        try:
            again = await other.reply(case.request)
        finally:
            await other.close()
        _demand(again.text == reply.text, "the same request got two texts; use Request.seed, and nothing else, to draw")


async def _check_side_by_side(case: ModelCase) -> None:
    """Several requests at once get what they would get alone."""
    requests = [
        replace(case.request, draw=replace(case.request.draw, repeat=number), seed=case.request.seed + number)
        for number in range(1, SIDE_BY_SIDE + 1)
    ]
    model = case.open()
    try:
        together = await asyncio.gather(*(model.reply(one) for one in requests))
        _demand(len(together) == len(requests), "replies were lost")
        if case.deterministic:
            alone = [(await model.reply(one)).text for one in requests]
            _demand([one.text for one in together] == alone, "an answer depends on what else is asked at the same time")
    finally:
        await model.close()


async def _check_cancelling(case: ModelCase) -> None:
    """A reply that is no longer wanted ends at once, and the model goes on answering."""
    model = case.open()
    try:
        task = asyncio.create_task(model.reply(case.request))
        await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):  # a model that answers without waiting may have answered already
            await task
        after = await model.reply(case.request)
        _demand(isinstance(after, Reply), "no reply after an earlier one was cancelled")
    finally:
        await model.close()


async def _check_structured(case: ModelCase, request: Request) -> None:
    """The answer to a schema is JSON that fits it."""
    import jsonschema

    model = case.open()
    try:
        text = (await model.reply(request)).text
    finally:
        await model.close()
    try:
        jsonschema.validate(json.loads(text), dict(request.schema or {}))
    except (ValueError, jsonschema.ValidationError) as error:
        raise NotConforming(f"the answer does not follow the schema: {str(error).splitlines()[0]}") from error


async def _check_refusal(case: ModelCase, request: Request) -> None:
    """What cannot be answered is a ModelError that says why: anything else ends the whole run."""
    model = case.open()
    try:
        await model.reply(request)
    except ModelError as error:
        _demand(bool(str(error).strip()), "a ModelError without words")
    except Exception as error:
        raise NotConforming(
            f"a request that cannot be answered raised {type(error).__name__}, not ModelError"
        ) from error
    else:
        raise NotConforming("a request that must be refused was answered")
    finally:
        await model.close()


async def _close(*models: Model) -> None:
    """Models close even if they were never asked."""
    for model in models:
        await model.close()


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _is_path(text: str) -> bool:
    """Whether a text names a place on this machine: absolute, or in the user's home."""
    return len(text) < 4096 and (Path(text).is_absolute() or text.startswith("~") or str(Path.home()) in text)


def _holds_secret(text: str, secrets: Iterable[str]) -> bool:
    here = (value for name, value in os.environ.items() if SECRET_NAME.search(name) and len(value) >= SHORTEST_SECRET)
    return any(secret and secret in text for secret in (*secrets, *here))


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise NotConforming(otherwise)
