"""What a server answered: a reply, or an error that says what it refused and whether asking again may help."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NoReturn

from cbtrun.errors import AccessRefused, ModelError, RateLimited, ServerFault, StopRun
from cbtrun.models import Reply, Request

if TYPE_CHECKING:
    from cbtrun.calls.secrets import Secret

SHOWN = 300
"""Characters of a server's own words that a message shows."""
FINISH = {"tool_calls": "stop", "function_call": "stop", "eos": "stop", "end_turn": "stop", "max_tokens": "length"}


@dataclass(frozen=True)
class Answer:
    """Status, headers and body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def without(self, secret: Secret) -> Answer:
        """The answer without the key, should the server have sent it back."""
        key = secret.reveal().encode()
        return replace(self, body=self.body.replace(key, b"***")) if secret.is_telling and key in self.body else self


def read_reply(body: bytes, request: Request) -> Reply:
    """The reply in the body of a 200. Raises ServerFault when it holds none, or as `raise_refusal` for an error in it."""
    try:
        content = json.loads(body)
    except ValueError:
        raise ServerFault(f"the answer is no whole JSON: {_excerpt(body)}") from None
    if isinstance(content, dict) and content.get("error") and not content.get("choices"):
        _raise_error_inside(content["error"], body)
    try:
        choice = content["choices"][0]
        message = choice["message"]
        text = _text(message, request)
        finish = str(choice.get("finish_reason") or "stop")
        refused = bool(message.get("refusal"))
    except (KeyError, IndexError, TypeError, AttributeError):
        raise ServerFault(f"the answer is no chat completion: {_excerpt(body)}") from None
    usage = content.get("usage") if isinstance(content.get("usage"), dict) else {}
    return Reply(
        text=text,
        tokens_in=_count(usage.get("prompt_tokens"), sum(len(one.content) for one in request.messages)),
        tokens_out=_count(usage.get("completion_tokens"), len(text)),
        finish="content_filter" if refused else FINISH.get(finish, finish),
        usd=_cost(usage.get("cost")),
        served=str(content.get("model") or ""),
    )


def raise_refusal(answer: Answer) -> NoReturn:
    """Raises what a status other than 200 means: ServerTrouble, ModelError or StopRun."""
    status, said = answer.status, error_text(answer.body)
    if 300 <= status < 400:
        where = answer.headers.get("Location", "nowhere")
        raise AccessRefused(
            f"the server sends us on to {where[:SHOWN]} ({status}); not followed: put the address that is meant into base_url"
        )
    if status == 401:
        raise AccessRefused(f"the server does not accept the key (401): {said}")
    if status == 402 or (status == 429 and _code(answer.body) in ("insufficient_quota", "billing_hard_limit_reached")):
        raise StopRun(f"the account is used up ({status}): {said}. Run the same command again when it is not")
    if status == 429:
        raise RateLimited(f"429: {said}", retry_after(answer.headers))
    if status >= 500 or status in (408, 409, 425):
        raise ServerFault(f"{status}: {said}")
    raise ModelError(f"the server refuses the request ({status}): {said}")


def error_text(body: bytes) -> str:
    """What a server says about an error, with the parameter that it names."""
    error = _error(body)
    if error is None:
        return _excerpt(body)
    if not isinstance(error, dict):
        return _short(str(error))
    said = _short(str(error.get("message") or error.get("detail") or error))
    param = error.get("param")
    return f"{said} (parameter: {_short(str(param))})" if param else said


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks us to wait, from `Retry-After` (seconds or a date) or `retry-after-ms`."""
    milliseconds = _seconds(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    written = headers.get("Retry-After")
    if written is None:
        return None
    seconds = _seconds(written)
    if seconds is not None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(written).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def _text(message: Mapping[str, Any], request: Request) -> str:
    """The words, or the arguments of the tool that was to be called."""
    calls = message.get("tool_calls")
    if calls and request.mode == "TOOLS":
        return str(calls[0]["function"]["arguments"])
    content = message.get("content") or message.get("refusal") or ""
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part.get("type") == "text")


def _raise_error_inside(error: Any, body: bytes) -> NoReturn:
    """Some servers put an error into a 200."""
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    raise_refusal(Answer(status, {}, body))


def _error(body: bytes) -> Any:
    """The `error` of a body (Gemini wraps it into a list; FastAPI calls it `detail`), or none."""
    try:
        content = json.loads(body)
    except ValueError:
        return None
    content = content[0] if isinstance(content, list) and content else content
    return (
        content.get("error") or content.get("detail") or content.get("message") if isinstance(content, dict) else None
    )


def _code(body: bytes) -> str:
    error = _error(body)
    return str(error.get("code") or error.get("type") or "") if isinstance(error, dict) else ""


def _count(given: Any, characters: int) -> int:
    """Tokens as the server counts them; without that, a quarter of the characters."""
    return given if isinstance(given, int) and given >= 0 else math.ceil(characters / 4)


def _cost(given: Any) -> float | None:
    return float(given) if isinstance(given, int | float) and math.isfinite(given) and given >= 0 else None


def _seconds(written: str | None) -> float | None:
    try:
        seconds = float(written or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _excerpt(body: bytes) -> str:
    return _short(body[: 4 * SHOWN].decode("utf-8", "replace")) or "(empty)"


def _short(text: str) -> str:
    """One line without control characters, so that a server's words cannot draw on a terminal."""
    line = "".join(one if one.isprintable() else " " for one in text)
    line = " ".join(line.split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]} ..."
