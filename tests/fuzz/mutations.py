"""Ways to break a text, bytes or a document of plain values. All chance comes from the generator that is given."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import yaml

DEEP, DIGITS, NAN, INFINITE, LONE, ESCAPED = (f"@@{name}@@" for name in ("DEEP", "DIGITS", "NAN", "INF", "LONE", "ESC"))
WRITTEN = {
    DEEP: "[" * 3_000 + "]" * 3_000,
    DIGITS: "9" * 5_000,
    NAN: "NaN",
    INFINITE: "-Infinity",
    LONE: '"\\ud800"',
    ESCAPED: '"\\u001b[2J\\u001b]0;gone\\u0007\\u009b31m"',
}
"""Marks of a document -> what its text has in their place: no JSON or YAML writer would write it."""
NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**30, 0.5, -0.0, 1e308, -1e-308),
    *(
        "",
        " ",
        "\n",
        "null",
        "nan",
        "x" * 3_000,
        "é" * 300,
        "a\x00b",
        "\u202e\u200b",
        "../../x",
        "/etc/passwd",
        "~nobody",
    ),
    *(
        "=cmd|' /C calc'!A0",
        "{{ 'a' * 10**9 }}",
        "{% for a in b %}",
        "${HOME}",
        "<script>alert(1)</script>",
        "%s%n",
        "2026-11-28",
    ),
    *(
        "(a+)+$",
        "(?:a|aa)+$",
        "[",
        "1" * 400,
        "-",
        ".",
        "/",
        "\\",
        "'",
        "😀",
        "\ufeff",
        "\u2028",
        "NaN",
        "1e999",
        "0x10",
    ),
    *([], {}, [None], [[]], [{}], {"": ""}, {"using": "x"}, ["a", "a"], list(range(40)), {"a": {"b": {"c": []}}}),
    *WRITTEN,
)
SNIPPETS = (
    *(
        b"\x00",
        b"\xff",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\x1b[2J",
        b"\x9b",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\t",
        b'"',
        b"'",
    ),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b"- ",
        b"&a ",
        b"*a",
        b"!!python/name:os.system ",
        b"<<: ",
        b"? ",
        b"|",
        b"%",
    ),
    *(
        b"9" * 400,
        b"[" * 500,
        b"{" * 500,
        b"\\ud800",
        b"NaN",
        b"1e999",
        b"-0",
        b"\xe2\x80\xae",
        b"#",
        b"---\n",
        b"...\n",
    ),
)


def document_text(value: Any) -> str:
    """A document as JSON, its marks written out; YAML reads it too."""
    text = json.dumps(value, ensure_ascii=False)
    for mark, written in WRITTEN.items():
        text = text.replace(f'"{mark}"', written)
    return text


def yaml_text(value: Any) -> str:
    """A document as YAML, its marks written out."""
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=200)
    for mark, written in WRITTEN.items():
        text = text.replace(f"'{mark}'", written)
    return text


def broken_document(value: Any, chance: random.Random, times: int = 0) -> Any:
    """A copy with one to three changes: a part left out, replaced, doubled, renamed, moved or wrapped."""
    found = {"": copy.deepcopy(value)}  # so that the whole can be replaced, too
    for _ in range(times or chance.choice((1, 1, 1, 2, 3))):
        places = list(_places(found))
        _change(*chance.choice(places), chance, places)
    return found.get("")


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key) of every part of a document."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _change(holder: Any, key: Any, chance: random.Random, places: list[tuple[Any, Any]]) -> None:
    what = chance.choice(("replace", "replace", "replace", "leave out", "wrap", "copy", "rename", "add", "double"))
    here = holder[key] if (isinstance(holder, dict) and key in holder) or isinstance(holder, list) else None
    if what == "leave out" and len(places) > 1 and key != "":
        del holder[key]
    elif what == "wrap":
        holder[key] = [here] if chance.random() < 0.5 else {"a": here}
    elif what == "copy":
        other, its_key = chance.choice(places)
        if isinstance(other, list) or its_key in other:
            holder[key] = copy.deepcopy(other[its_key])
    elif what == "rename" and isinstance(holder, dict) and key != "":
        holder[str(_nasty(chance))] = holder.pop(key)
    elif what == "add" and isinstance(here, dict):
        here[str(_nasty(chance))] = _nasty(chance)
    elif what == "double" and isinstance(here, list):
        here += copy.deepcopy(here)
    else:
        holder[key] = _nasty(chance)


def _nasty(chance: random.Random) -> Any:
    return copy.deepcopy(chance.choice(NASTY))


def broken_bytes(content: bytes, chance: random.Random) -> bytes:
    """The bytes with one to four changes: cut, flipped, doubled, moved, or with a snippet put in."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        content = chance.choice(_BYTES)(content, chance)
    return content


def _cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _flipped(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.choice((1, 3, 20)) if content else 0):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _taken_out(content: bytes, chance: random.Random) -> bytes:
    at, length = chance.randrange(len(content) + 1), chance.choice((1, 8, 100, 4_096))
    return content[:at] + content[at + length :]


def _put_in(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content) + 1)
    return content[:at] + chance.choice(SNIPPETS) + content[at:]


def _doubled(content: bytes, chance: random.Random) -> bytes:
    lines = content.split(b"\n")
    at = chance.randrange(len(lines))
    return b"\n".join([*lines[: at + 1], *lines[at:]])


def _noise(content: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(chance.choice((0, 1, 300)))


def _zeroed(content: bytes, chance: random.Random) -> bytes:
    at, length = chance.randrange(len(content) + 1), chance.choice((1, 100, 4_096))
    return content[:at] + bytes(min(length, len(content) - at)) + content[at + length :]


_BYTES: tuple[Callable[[bytes, random.Random], bytes], ...] = (_cut, _flipped, _taken_out, _put_in, _put_in, _doubled, _noise, _zeroed)  # fmt: skip
