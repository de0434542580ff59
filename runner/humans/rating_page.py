"""The page of one rater: words and questions as data, escaped, and the only script that may run, in one file.

Served, it sends each change to its own server; as a file it keeps them in the browser and sends nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from cbtrun.humans.task import TRAINING

if TYPE_CHECKING:
    from cbtrun.humans.task import SidedPair, Task
    from cbtrun.ratings.rubric import Item

SCRIPTS = (
    "element.js",
    "store.js",
    "table.js",
    "quotes.js",
    "items.js",
    "session.js",
    "pair.js",
    "start-and-end.js",
    "page.js",
)
"""In the order in which they are put into the page; each adds what it gives to one object."""
_AS_TEXT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""What could end the block of data, or begin another, written so that JSON reads the same."""


def rating_page(task: Task, entries: Mapping[str, Any] | None = None) -> str:
    """The page. entries: what the rater's file has, for a page that a server keeps; none for a page of its own."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("cbtrun.humans", "sheet_files"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        title=task.rubric.title,
        task=_data_block(_asked(task, entries)),
        style=_text("page.css"),
        script=_script(),
        policy=page_policy(served=entries is not None),
    )


def page_policy(*, served: bool) -> str:
    """The content security policy: our script and style alone, and requests to the own server alone, if there is one."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_hash(_text('page.css'))}'; script-src '{_hash(_script())}'; "
        f"connect-src {chr(39)}{'self' if served else 'none'}{chr(39)}; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _script() -> str:
    return "\n".join(_text(name) for name in SCRIPTS)


def _text(name: str) -> str:
    return files("cbtrun.humans.sheet_files").joinpath(name).read_text(encoding="utf-8")


def _data_block(asked: Mapping[str, Any]) -> str:
    text = json.dumps(asked, ensure_ascii=False)
    for sign, written in _AS_TEXT.items():
        text = text.replace(sign, written)
    return text.encode("utf-8", "replace").decode()  # half a character can stand in no page


def _asked(task: Task, entries: Mapping[str, Any] | None) -> dict[str, Any]:
    training = task.settings.training
    return {
        "sheet": task.sheet,
        "rater": task.rater,
        "served": entries is not None,
        "entries": entries or {},
        "rubric": task.rubric.name,
        "title": task.rubric.title,
        "speaker": task.rubric.speaker,
        "notes": list(task.rubric.notes),
        "instructions": task.settings.instructions,
        "consent": {"text": task.settings.consent, "digest": task.settings.consent_digest},
        "realPeople": task.settings.real_people,
        "items": [_item(item) for item in task.rubric.items],
        "sessions": [{"code": code, "turns": task.talks[code]} for code in task.order],
        "training": training
        and {
            "code": TRAINING,
            "about": training.about,
            "turns": training.turns,
            "agreed": {item: {"score": one.score, "why": one.why} for item, one in training.agreed.items()},
        },
        "pairs": [_pair(pair) for pair in task.pairs],
    }


def _pair(pair: SidedPair) -> dict[str, Any]:
    sides = (pair.left, "b" if pair.left == "a" else "a")
    return {"code": pair.code, "sides": [{"side": side, "turns": pair.turns[side]} for side in sides]}


def _item(item: Item) -> dict[str, Any]:
    low, high = item.bounds
    return {
        "id": item.id,
        "title": item.label or item.name,
        "asks": item.asks + (" A higher score is worse here: say how much of it there is." if item.reverse else ""),
        "type": item.type,
        "options": [{"value": value, "label": label, "means": means} for value, label, means in choices(item)],
        "notApplicable": item.not_applicable or "",
        "low": low,
        "high": high,
    }


def choices(item: Item) -> list[tuple[str, str, str]]:
    """(value, label, meaning) of an item that is chosen from a few; empty for counts and words."""
    if item.type == "yes_no":
        return [("1", "yes", item.anchors.get(1, "")), ("0", "no", item.anchors.get(0, ""))]
    if item.type == "category":
        return [(one.name, one.name, one.means) for one in item.categories]
    low, high = item.bounds
    if item.type != "scale" or high is None or high - low > 20:
        return []
    return [(str(at), str(at), item.anchors.get(at, "")) for at in range(int(low), int(high) + 1)]
