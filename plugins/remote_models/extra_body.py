"""What a study may add to the requests of a remote model: plain settings of sampling, reasoning and routing.

Not what decides who is asked, what is said, or what the server runs: a study from a stranger must not turn a request into
another, or have a server run programs, fetch pages or send what it was told elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cbtrun.plugin import BlockContext, Problem

MOST_BYTES = 16 * 2**10
DEEPEST = 8
FREE = ("chattemplatekwargs", "logitbias", "metadata", "labels")
"""Settings whose inner names are anybody's: of a model's template, of tokens, of the user's own books."""
WHAT_IS_ASKED = {
    *(
        "model",
        "models",
        "preset",
        "messages",
        "message",
        "prompt",
        "suffix",
        "input",
        "inputs",
        "instructions",
        "system",
    ),
    *(
        "systeminstruction",
        "contents",
        "documents",
        "context",
        "transforms",
        "truncate",
        "truncateprompttokens",
        "prefix",
    ),
    *("cachedcontent", "previousresponseid", "conversation", "contextmanagement", "sessionparams", "echo", "imagedata"),
    *("addgenerationprompt", "continuefinalmessage", "addspecialtokens", "stream", "streamoptions", "n", "bestof"),
    *("candidatecount", "numreturnsequences", "background", "container", "adapterid", "grammar", "jsonschema", "regex"),
    *("responseformat", "responseschema", "responsejsonschema", "responsemimetype", "structuredoutputs", "vllmxargs"),
    *("inputembeds", "promptembeds", "extrabody", "extraquery", "modalities", "audio"),
}
"""By name, whatever its case and with or without _ and -."""
WHAT_RUNS = re.compile(
    "tool|function|plugin|mcp|processor|search|template|webhook|callback|host|url|uri|endpoint|apikey|authorization|"
    "headers?$|bootstrap|transfer|lora|python|module|guided|codeexecution|datasource|connector|backend"
)
"""Parts of names of what a server runs, fetches, or tells others."""


def extra_body_problems(context: BlockContext, taken: Iterable[str] = ()) -> list[Problem]:
    """What is wrong with a block's `extra_body`. taken: names that the plugin's own options decide."""
    body = context.options.get("extra_body") or {}
    if size := _too_big(body):
        return [context.problem(size, "extra_body")]
    own = {_plain(name) for name in taken}
    return [context.problem(what, "extra_body", *path) for path, what in _problems(body, own, ())]


def _too_big(body: Mapping[str, Any]) -> str:
    try:
        written = json.dumps(body, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        return "is no plain JSON"
    return f"is longer than {MOST_BYTES // 2**10} KiB" if len(written) > MOST_BYTES else ""


def _problems(value: Any, own: set[str], path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if len(path) > DEEPEST:
        yield path, f"is nested more than {DEEPEST} deep"
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _problems(inner, own, (*path, place))
    elif isinstance(value, dict):
        for key, inner in value.items():
            name, at = _plain(str(key)), (*path, str(key))
            if not path and name in own:
                yield at, f"'{key}' is set by cbtrun or by an option of its own"
            elif name in WHAT_IS_ASKED:
                yield at, f"'{key}' changes what is asked, and of whom; that is cbtrun's to say"
            elif name in FREE:
                continue
            elif WHAT_RUNS.search(name):
                yield at, f"'{key}' has the server run, fetch or send something; a study does not ask for that"
            else:
                yield from _problems(inner, own, at)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
