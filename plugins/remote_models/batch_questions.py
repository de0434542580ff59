"""What the vendors' batch APIs have in common: a question and its JSON, a submission whose answer may be lost, lines of results."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import (
    NotSent,
    ServerFault,
    SubmissionUnknown,
    TooLarge,
)
from cbtrun.plugins.remote_models.openai_reply import error_text, raise_refusal, read_json, short

if TYPE_CHECKING:
    from cbtrun.plugin import Transport

JSON_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}
TOO_LARGE = re.compile(
    r"too (large|many|big|long)|exceed\w* .*\b(size|limit|maximum|number)|request_too_large|token_limit_exceeded|"
    r"enqueued token|maximum (number|size)|payload size",
    re.IGNORECASE,
)
"""What vendors say of a batch that is too large, or too much together with those that they have already."""
OURS = re.compile(r"[A-Za-z0-9._/-]{1,300}")
"""Ids of a vendor's that may stand in an address."""


async def asked(
    transport: Transport, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
) -> Any:
    """The JSON of an answer. Raises as `raise_refusal`, ServerFault for no JSON."""
    return read_json(await asked_bytes(transport, method, path, headers, body))


async def asked_bytes(
    transport: Transport, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
) -> bytes:
    """The body of an answer. Raises as `raise_refusal`."""
    answer = await transport.ask(method, transport.url + path, headers, body)
    if answer.status != 200:
        raise_refusal(answer)
    return answer.body


async def submitted(transport: Transport, path: str, headers: Mapping[str, str], body: bytes) -> Any:
    """The JSON that a vendor answers to a submission.

    Raises TooLarge, or as `raise_refusal`, where it was not taken for certain, and SubmissionUnknown where nobody can say.
    """
    try:
        answer = await transport.ask("POST", transport.url + path, headers, body)
    except NotSent:
        raise
    except ServerFault as lost:
        raise SubmissionUnknown(str(lost)) from None
    said = error_text(answer.body) if answer.status != 200 else ""
    if answer.status >= 500 or answer.status in (408, 409, 425) or 200 < answer.status < 300:
        raise SubmissionUnknown(f"{answer.status}: {said}")
    if answer.status == 413 or (400 <= answer.status < 429 and TOO_LARGE.search(said)):
        raise TooLarge(f"the server takes no batch of this size ({answer.status}): {said}")
    if answer.status != 200:
        raise_refusal(answer)
    try:
        return read_json(answer.body)
    except ServerFault as broken:
        raise SubmissionUnknown(str(broken)) from None


def id_in(content: Any, name: str) -> str:
    """A vendor's id of a batch or file, plain enough for an address. Raises ServerFault where there is none."""
    found = content.get(name) if isinstance(content, dict) else None
    if not isinstance(found, str) or not OURS.fullmatch(found) or ".." in found:
        raise ServerFault(f"the answer has no '{name}' that is one: {short(json.dumps(content))}")
    return found


def id_of_submitted(content: Any, name: str) -> str:
    """The id in the answer to a submission. Raises SubmissionUnknown: something was submitted, and it has to be looked for."""
    try:
        return id_in(content, name)
    except ServerFault as odd:
        raise SubmissionUnknown(str(odd)) from None


def lines_of(body: bytes) -> Iterator[Mapping[str, Any]]:
    """The entries of JSON lines. Raises ServerFault for a line that is none."""
    for line in body.split(b"\n"):
        if line.strip():
            entry = read_json(line)
            if not isinstance(entry, dict):
                raise ServerFault(
                    f"a line of the batch's results is no entry: {short(line[:200].decode('utf-8', 'replace'))}"
                )
            yield entry


def mapping_in(content: Any, *path: str) -> Mapping[str, Any]:
    """What stands at a path of a vendor's answer, empty where nothing does."""
    for name in path:
        content = content.get(name) if isinstance(content, dict) else None
    return content if isinstance(content, dict) else {}


def list_in(content: Any, name: str) -> list[Any]:
    """A list of a vendor's answer, empty where there is none."""
    found = content.get(name) if isinstance(content, dict) else None
    return found if isinstance(found, list) else []


def text_in(content: Any, name: str) -> str:
    """A text of a vendor's answer, empty where there is none."""
    found = content.get(name) if isinstance(content, dict) else None
    return found if isinstance(found, str) else ""


def count_in(content: Any, *names: str) -> int:
    """The sum of counts of a vendor's answer; what is no count is none."""
    found = [content.get(name) if isinstance(content, dict) else 0 for name in names]
    return sum(_count(one) for one in found)


def _count(given: Any) -> int:
    """Google writes whole numbers as texts."""
    try:
        return min(max(0, int(given or 0)), 10**9) if not isinstance(given, bool) else 0
    except (ValueError, TypeError, OverflowError):
        return 0
