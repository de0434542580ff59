"""What a server answered: a reply, or an error that says what it refused and whether asking again may help."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

from cbtrun.plugin import (
    AccessRefused,
    ModelError,
    RateLimited,
    Refusal,
    Reply,
    Request,
    ServerFault,
    StopRun,
    bounded_cost,
    is_count,
    one_line,
)
from cbtrun.plugin import ServerAnswer as Answer

SHOWN = 300
"""Characters of a server's own words that a message shows."""
LOOKED_AT, MARGIN = 65536, 4096
"""Bytes of a body in which its first words are looked for, and of them those that may be half a key."""
LONGEST_WAIT = 1e7
"""Seconds, four months: a server that asks for more means never."""
UNKNOWN = re.compile(
    r"\b(no such|unknown|unsupported|invalid|not (found|known|supported|available|allowed)|does ?n[o']t exist|not exist)\b",
    re.IGNORECASE,
)
UNKNOWN_MODEL = re.compile(
    rf"\b(model|deployment|engine|adapter|rubric)\b[^.]*?{UNKNOWN.pattern}|{UNKNOWN.pattern}[^.]*?\b(model|deployment|engine|adapter|rubric)\b",
    re.IGNORECASE,
)
"""What a server says that does not know what every request names."""
ABOUT_WORDS = re.compile(
    r"\b(moderation|flagged|safety|content|polic|prompt|tokens?|length|long|messages?)", re.IGNORECASE
)
"""What a server says that minds the words of one request."""
THOUGHT_FIELDS = ("reasoning_content", "reasoning", "thinking")
THOUGHT_PARTS = ("thinking", "reasoning", "redacted_thinking")
BUILD_FIELDS = ("provider", "system_fingerprint")
"""What a server states of who computed a reply (OpenRouter) and by which build of the model (OpenAI, vLLM, DeepSeek)."""
FINISH = {"tool_calls": "stop", "function_call": "stop", "eos": "stop", "end_turn": "stop", "max_tokens": "length"}


def read_reply(body: bytes, request: Request) -> Reply:
    """The reply in the body of a 200. Raises ServerFault when it holds none, or as `raise_refusal` for an error in it."""
    content = read_json(body)
    if isinstance(content, dict) and content.get("error") and not content.get("choices"):
        _raise_error_inside(content["error"], body)
    try:
        choice = content["choices"][0]
        message = choice["message"]
        text = _text(message, request)
        finish = str(choice.get("finish_reason") or "stop")
        thinking = _thinking(message)
        refused = bool(message.get("refusal"))
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, RecursionError):
        raise ServerFault(f"the answer is no chat completion: {_excerpt(body)}") from None
    if choice.get("error"):  # OpenRouter: the provider broke off
        _raise_error_inside(choice["error"], json.dumps({"error": choice["error"]}).encode())
    usage = content.get("usage") if isinstance(content.get("usage"), dict) else {}
    apart = _apart(usage)
    return Reply(
        text=text,
        tokens_in=tokens_of(usage.get("prompt_tokens"), characters_in(request)),
        tokens_out=tokens_of(usage.get("completion_tokens"), len(text) + len(thinking)) + _thought_beside(usage),
        finish="content_filter" if refused else FINISH.get(finish, finish),
        usd=bounded_cost(usage.get("cost")),
        served=str(content.get("model") or ""),
        cached=apart["cached"],
        written=apart["written"],
        thought=apart["thought"],
        fingerprint=" ".join(str(content[one]) for one in BUILD_FIELDS if content.get(one)),
        thinking=thinking or (f"({thought:,} tokens, not shown by the server)" if (thought := _thought(usage)) else ""),
    )


def read_json(body: bytes) -> Any:
    """The JSON in a body. Raises ServerFault when it is none, or nested deeper than can be read."""
    try:
        return json.loads(body)
    except RecursionError:
        raise ServerFault("the answer is JSON nested too deep to be read") from None
    except UnicodeDecodeError:
        raise ServerFault(f"the answer is no text (UTF-8): {_excerpt(body)}") from None
    except ValueError:
        raise ServerFault(f"the answer is no whole JSON: {_excerpt(body)}") from None


def raise_refusal(answer: Answer) -> NoReturn:
    """Raises what a status other than 200 means: ServerTrouble, ModelError or StopRun."""
    status, said = answer.status, error_text(answer.body)
    if 300 <= status < 400:
        where = answer.headers.get("Location", "nowhere")
        raise AccessRefused(
            f"the server sends us on to {short(where)} ({status}); not followed: put the address that is meant into base_url"
        )
    if status == 401:
        raise AccessRefused(f"the server does not accept the key (401): {said}")
    if status == 402 or (status == 429 and _code(answer.body) in ("insufficient_quota", "billing_hard_limit_reached")):
        raise StopRun(f"the account is used up ({status}): {said}. Run the same command again when it is not")
    if status == 429:
        raise RateLimited(f"429: {said}", retry_after(answer.headers))
    if 200 <= status < 300:
        raise ServerFault(f"the answer has the status {status}, with which no reply comes: {said}")
    if status >= 500 or status in (408, 409, 425):
        raise ServerFault(f"{status}: {said}")
    refused = f"the server refuses the request ({status}): {said}"
    if (sure := would_refuse_all(status, said)) is not None:
        raise Refusal(refused, sure=sure)
    raise ModelError(refused)


def would_refuse_all(status: int, said: str) -> bool | None:
    """Whether a refusal is about the model, the address or the rubric, and so about every request; none for other ones.

    False where it may be that, or about the words of this one request.
    """
    about_words = ABOUT_WORDS.search(said) is not None
    if status in (404, 405, 410) or (status in (403, 422) and UNKNOWN.search(said) and not about_words):
        return True
    if status == 403:
        return not about_words
    if status == 422:
        return False
    return True if status == 400 and UNKNOWN_MODEL.search(said) else None


def error_text(body: bytes) -> str:
    """What a server says about an error, with the parameter that it names."""
    try:
        return _error_text(body, _error(body))
    except (RecursionError, ValueError):  # nested deep, or a number of thousands of digits
        return "(words that cannot be read)"


def _error_text(body: bytes, error: Any) -> str:
    if error is None:
        return _excerpt(body)
    if not isinstance(error, dict):
        return short(str(error))
    said = short(str(error.get("message") or error.get("detail") or error))
    param = error.get("param")
    return f"{said} (parameter: {short(str(param))})" if param else said


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
        return min(max(0.0, parsedate_to_datetime(written).timestamp() - time.time()), LONGEST_WAIT)
    except (ValueError, TypeError, OverflowError):
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


def _thinking(message: Mapping[str, Any]) -> str:
    """What the model thought, where the server holds it apart: a field of the message, or parts of its content."""
    for name in THOUGHT_FIELDS:
        if isinstance(found := message.get(name), str) and found.strip():
            return found
    parts = message.get("content")
    found = [one for one in parts if one.get("type") in THOUGHT_PARTS] if isinstance(parts, list) else []
    details = message.get("reasoning_details")
    found += [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []
    return "\n".join(words for one in found if (words := _words_in(one)))


def _words_in(part: Mapping[str, Any]) -> str:
    """The words of a part that holds thinking; Mistral's holds parts in turn."""
    for name in ("thinking", "text", "reasoning", "summary"):
        inner = part.get(name)
        if isinstance(inner, str):
            return inner
        if isinstance(inner, list):
            return "".join(str(one.get("text") or "") for one in inner if isinstance(one, dict))
    return ""


def _thought(usage: Mapping[str, Any]) -> int:
    """Tokens of thinking, where the server counts them apart; 0 where it does not."""
    details = usage.get("completion_tokens_details")
    given = details.get("reasoning_tokens") if isinstance(details, dict) else usage.get("reasoning_tokens")
    return tokens_of(given, 0)


def _apart(usage: Mapping[str, Any]) -> dict[str, int]:
    """Tokens with a price of their own, where the server counts them apart: from its cache, into it, of thinking.

    OpenAI and most: in `prompt_tokens_details`; DeepSeek: `prompt_cache_hit_tokens`.
    """
    details = usage.get("prompt_tokens_details")
    details = details if isinstance(details, dict) else {}
    asked = tokens_of(usage.get("prompt_tokens"), 0)
    cached = min(asked, tokens_of(details.get("cached_tokens", usage.get("prompt_cache_hit_tokens")), 0))
    written = min(asked - cached, tokens_of(details.get("cache_write_tokens"), 0))
    return {"cached": cached, "written": written, "thought": _thought(usage)}


def _thought_beside(usage: Mapping[str, Any]) -> int:
    """Tokens of thinking that `completion_tokens` leaves out, as the sum tells (xAI)."""
    asked, answered, whole = (tokens_of(usage.get(f"{name}_tokens"), 0) for name in ("prompt", "completion", "total"))
    thought = _thought(usage)
    return thought if asked + answered + thought == whole else 0


def _raise_error_inside(error: Any, body: bytes) -> NoReturn:
    """Some servers put an error into a 200."""
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    raise_refusal(Answer(status, {}, body))


def _error(body: bytes) -> Any:
    """The `error` of a body (Gemini wraps it into a list; FastAPI calls it `detail`), or none."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    content = content[0] if isinstance(content, list) and content else content
    return (
        content.get("error") or content.get("detail") or content.get("message") if isinstance(content, dict) else None
    )


def _code(body: bytes) -> str:
    error = _error(body)
    return str(error.get("code") or error.get("type") or "") if isinstance(error, dict) else ""


def tokens_of(given: Any, characters: int) -> int:
    """Tokens as the server counts them; where that is no number of tokens, a quarter of the characters."""
    return int(given) if is_count(given) else math.ceil(characters / 4)


def characters_in(request: Request) -> int:
    """Characters of all that is sent."""
    return sum(len(one.content) for one in request.messages)


def _seconds(written: str | None) -> float | None:
    try:
        seconds = float(written or "")
    except ValueError:
        return None
    return min(seconds, LONGEST_WAIT) if seconds >= 0 else None  # NaN is not


def _excerpt(body: bytes) -> str:
    if len(body) <= LOOKED_AT:
        return short(body.decode("utf-8", "replace")) or "(empty)"
    cut = body[:LOOKED_AT].decode("utf-8", "replace")[:-MARGIN]  # a key that the cut went through is in the margin
    return short(cut) or "(no words)"


def short(text: str) -> str:
    """One line without keys and control characters, so that a server's words cannot draw on a terminal."""
    return one_line(text, SHOWN)
