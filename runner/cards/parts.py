"""What every card has: front matter as the Hugging Face Hub reads it, and the words that stand on all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from cbtrun.contract.markdown_text import markdown_text

NOT_STATED = "not stated"
NOT_FOR_CARE = (
    "**Not for care.** Research on language models. Nobody has shown that it may be used with people in need of help, and "
    "nothing here says so."
)
SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,60}")
KNOWN = frozenset(
    [
        "apache-2.0",
        "mit",
        "bsd-2-clause",
        "bsd-3-clause",
        "cc0-1.0",
        "cc-by-4.0",
        "cc-by-sa-4.0",
        "cc-by-nc-4.0",
        "cc-by-nc-sa-4.0",
        "cc-by-nd-4.0",
        "gpl-3.0",
        "lgpl-3.0",
        "agpl-3.0",
        "mpl-2.0",
        "openrail",
        "llama2",
        "llama3",
        "llama3.1",
        "llama3.2",
        "llama3.3",
        "gemma",
        "unlicense",
        "odbl",
        "pddl",
    ]
)
"""Licences that the hub knows by these names."""


def front_matter(values: Mapping[str, Any]) -> str:
    """The YAML that the hub reads; what is empty is left out."""
    told = {name: value for name, value in values.items() if value not in (None, "", [], {})}
    return f"---\n{yaml.safe_dump(told, sort_keys=False, allow_unicode=True)}---\n"


def hub_licence(licence: str) -> dict[str, str]:
    """The licence as the hub names it: one that it knows, `other` with its name, or nothing where nobody stated one."""
    if not licence:
        return {}
    if licence.lower() in KNOWN:
        return {"license": licence.lower()}
    return {"license": "other", "license_name": licence[:100]} if SPDX.fullmatch(licence) else {"license": "other"}


def stated(text: object) -> str:
    """A text, or that nobody stated one."""
    return markdown_text(str(text)) if text not in (None, "") else NOT_STATED


def listed(pairs: Iterable[tuple[str, object]]) -> Iterator[str]:
    """`- **Base**: ...` of each."""
    yield from (f"- **{name}**: {stated(value)}" for name, value in pairs)


def shares(counts: Mapping[str, int]) -> str:
    """`woman 12, man 8`, most first."""
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{name} {count:,}" for name, count in ordered)


def card(lines: Iterable[str]) -> str:
    """A card of its lines."""
    return "\n".join(lines).rstrip() + "\n"
