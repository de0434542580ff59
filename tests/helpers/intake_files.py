"""Files as people have them, made for a test, and what `cbtrun import` proposes for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cbtrun.errors import SpecError
from cbtrun.intake.directions import Directions
from cbtrun.intake.people_scores import rubrics_in
from cbtrun.intake.proposal import Proposal
from cbtrun.intake.propose import propose
from cbtrun.registry import load_registry
from cbtrun.tables.row import Writing

RUBRICS = rubrics_in(load_registry().rubric_folders())
TALK = (("T", "How was your week?"), ("C", "Not so good."), ("T", "What happened?"), ("C", "I slept badly."))


def proposed(path: Path, content: str | bytes | Writing | None = None, **asked: Any) -> Proposal:
    """What is proposed for a file, which is written first where a content is given; or how it is written."""
    writing = content if isinstance(content, Writing) else Writing()
    if isinstance(content, str | bytes):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return propose(path, Directions(**asked), writing, RUBRICS)


def refusal(path: Path, content: str | bytes | None = None, **asked: Any) -> str:
    with pytest.raises(SpecError) as refused:
        proposed(path, content, **asked)
    return str(refused.value)


def options(proposal: Proposal, *names: str) -> Mapping[str, Any]:
    return {name: proposal.block.options[name] for name in names if name in proposal.block.options}


def turns(words: Mapping[str, str] | None = None, sessions: int = 3, head: str = "session,speaker,text") -> str:
    said = words or {"T": "T", "C": "C"}
    rows = [f"s{number},{said[who]},{text} {number}" for number in range(sessions) for who, text in TALK]
    return "\n".join([head, *rows, ""])


def messages(role: str = "role", content: str = "content", **words: str) -> list[dict[str, str]]:
    return [{role: words[who], content: text} for who, text in TALK]
