"""Three vendors' protocols: their requests as the body of OpenAI's chat completions, and answers as each vendor gives them.

As far as our own plugins use them, no further.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Literal

from cbtrun.plugins.mock_server.prefix_cache import CacheUse

NOT_CACHED = CacheUse()
Body = Mapping[str, Any]
"""A request as the body of OpenAI's chat completions, whoever's protocol it came by."""
Vendor = Literal["openai", "google", "anthropic"]
Finish = str
"""Why an answer ended, in the words of OpenAI's chat completions."""

VENDOR_FINISH: Mapping[Vendor, Mapping[Finish, str]] = {
    "openai": {},
    "google": {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"},
    "anthropic": {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"},
}


def vendor_of(path: str) -> Vendor | None:
    """Whose protocol an address belongs to, or none."""
    if path.endswith("/chat/completions"):
        return "openai"
    if path.endswith(":generateContent"):
        return "google"
    return "anthropic" if path.endswith("/v1/messages") else None


def read_body(vendor: Vendor, path: str, sent: Mapping[str, Any]) -> Body:
    """A vendor's request as OpenAI's. path: Gemini's model stands in the address."""
    if vendor == "openai":
        return sent
    return _from_google(path, sent) if vendor == "google" else _from_claude(sent)


def write_answer(
    vendor: Vendor,
    body: Body,
    text: str,
    finish: Finish = "stop",
    usage: Mapping[str, Any] | None = None,
    cache: CacheUse = NOT_CACHED,
) -> dict[str, Any]:
    """An answer as a vendor gives it; a call of the tool where the body asks for one. usage: replaces our own count, in which `cache` is."""
    writers: Mapping[Vendor, Callable[..., dict[str, Any]]] = {
        "openai": _openai_answer,
        "google": _google_answer,
        "anthropic": _claude_answer,
    }
    words = sum(len(str(one["content"]).split()) for one in body["messages"])
    counted = {"prompt_tokens": words, "completion_tokens": len(text.split())}
    usage = _counts(vendor, counted, cache) if usage is None and (cache.read or cache.written) else usage
    return writers[vendor](body, text, VENDOR_FINISH[vendor].get(finish, finish), counted, usage)


def _counts(vendor: Vendor, counted: Mapping[str, int], cache: CacheUse) -> dict[str, Any]:
    """A vendor's usage of a request that found something in its cache, or left something there."""
    asked, said = counted["prompt_tokens"], counted["completion_tokens"]
    if vendor == "openai":
        details = {"prompt_tokens_details": {"cached_tokens": cache.read}}
        return {**counted, "total_tokens": asked + said, **details}
    if vendor == "google":
        sums = {"promptTokenCount": asked, "candidatesTokenCount": said, "totalTokenCount": asked + said}
        return {**sums, "cachedContentTokenCount": cache.read}
    parts = {"cache_read_input_tokens": cache.read, "cache_creation_input_tokens": cache.written}
    return {"input_tokens": asked - cache.read - cache.written, "output_tokens": said, **parts}


def wanted_schema(body: Body) -> Mapping[str, Any] | None:
    """The JSON Schema that the answer shall follow, where the request carries one."""
    if body.get("tools"):
        return _mapping(body["tools"][0]["function"].get("parameters"))
    asked = body.get("response_format") or {}
    if asked.get("type") == "json_schema":
        return _mapping(asked["json_schema"].get("schema"))
    return _mapping((body.get("structured_outputs") or {}).get("json"))


def _mapping(found: Any) -> Mapping[str, Any] | None:
    return found if isinstance(found, Mapping) else None


def _openai_answer(
    body: Body, text: str, finish: Finish, counted: Mapping[str, int], usage: Mapping[str, Any] | None
) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if body.get("tools"):
        call = {"id": "c1", "type": "function", "function": {"name": "answer", "arguments": text}}
        message, finish = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": body.get("served") or f"{body['model']}-0901",
        **({"system_fingerprint": body["fingerprint"]} if body.get("fingerprint") else {}),
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {**counted, "total_tokens": sum(counted.values())} if usage is None else usage,
    }


def _google_answer(
    body: Body, text: str, finish: Finish, counted: Mapping[str, int], usage: Mapping[str, Any] | None
) -> dict[str, Any]:
    part = {"functionCall": {"name": "answer", "args": json.loads(text)}} if body.get("tools") else {"text": text}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": finish, "index": 0}
    own = {
        "promptTokenCount": counted["prompt_tokens"],
        "candidatesTokenCount": counted["completion_tokens"],
        "totalTokenCount": sum(counted.values()),
    }
    served = body.get("served") or f"{body['model']}-0901"
    return {"candidates": [candidate], "usageMetadata": usage or own, "modelVersion": served}


def _claude_answer(
    body: Body, text: str, finish: Finish, counted: Mapping[str, int], usage: Mapping[str, Any] | None
) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": text}
    if body.get("tools"):
        block, finish = {"type": "tool_use", "id": "t", "name": "answer", "input": json.loads(text)}, "tool_use"
    own = {"input_tokens": counted["prompt_tokens"], "output_tokens": counted["completion_tokens"]}
    served = body.get("served") or f"{body['model']}-0901"
    made = {"id": "m", "type": "message", "role": "assistant", "model": served, "content": [block]}
    return {**made, "stop_reason": finish, "stop_sequence": None, "usage": usage or own}


def _from_google(path: str, sent: Mapping[str, Any]) -> dict[str, Any]:
    roles = {"user": "user", "model": "assistant"}
    system = sent.get("systemInstruction")
    messages = [{"role": "system", "content": _parts(system)}] if system else []
    messages += [{"role": roles[one.get("role") or "user"], "content": _parts(one)} for one in sent["contents"]]
    config = sent.get("generationConfig") or {}
    body: dict[str, Any] = {"model": path.rpartition("/")[2].partition(":")[0], "messages": messages}
    body |= {"max_tokens": config["maxOutputTokens"]} if "maxOutputTokens" in config else {}
    if schema := config.get("responseJsonSchema"):
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    if tools := sent.get("tools"):
        function = tools[0]["functionDeclarations"][0]
        body["tools"] = [_tool(function.get("parametersJsonSchema"))]
    return body


def _from_claude(sent: Mapping[str, Any]) -> dict[str, Any]:
    system = [{"role": "system", "content": sent["system"]}] if sent.get("system") else []
    said = [{**one, "content": _blocks(one["content"])} for one in sent["messages"]]
    body: dict[str, Any] = {"model": sent["model"], "messages": [*system, *said]}
    body["cache_mark"] = _mark([*system, *sent["messages"]])
    body["max_tokens"] = sent["max_tokens"]
    if schema := ((sent.get("output_config") or {}).get("format") or {}).get("schema"):
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    if tools := sent.get("tools"):
        body["tools"] = [_tool(tools[0]["input_schema"])]
    return body


def _blocks(content: Any) -> str:
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


def _mark(messages: list[Any]) -> int:
    """Words up to the last mark of the cache; 0 for none."""
    words = mark = 0
    for one in messages:
        for block in [{"text": one["content"]}] if isinstance(one["content"], str) else one["content"]:
            words += len(block["text"].split())
            mark = words if block.get("cache_control") else mark
    return mark


def _tool(schema: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "answer", "parameters": schema}}


def _parts(content: Mapping[str, Any]) -> str:
    return "".join(part.get("text", "") for part in content.get("parts", []))
