"""Messages in the roles that a server takes: templates behind one protocol differ in what they refuse.

Every conversation begins with the user's word, as Gemini's and Claude's have to. Where a server refuses two messages of
one role in a row, or a system message, that is found out at the first refusal and kept to from then on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cbtrun.plugin import ChatMessage

BEGIN = "Please begin."
"""The user's word where the model is to speak first."""
REFUSED_ROLES = re.compile(
    r"\balternat|system (role|message|prompt|instruction)s?\b|\broles?\b[^.]{0,40}\b(system|unsupported|not supported|invalid)|"
    r"(unsupported|unknown|invalid|unexpected) role|(first|last) (message|turn|content)|no user (query|message)|"
    r"at least one (user )?message|start with a user|consecutive|multiturn|multi-turn",
    re.IGNORECASE,
)
"""What servers say that mind who speaks when: templates of Mistral and Gemma, Gemini's compatible address, and others."""
TOLD = (
    "",
    "messages of one role in a row are sent as one",
    "the system message is sent at the head of the first user message",
)
"""Shape -> what it does to a request, for the user."""


PROBE = (ChatMessage("system", "Say OK."), ChatMessage("assistant", "Hello."), ChatMessage("user", "Say OK."))
"""What a server is asked to find out which roles it takes: a system message, and an opening by the model."""
PROBE_TOKENS = 16
FOUND = (
    "takes a system message, and a conversation that the assistant opens",
    "takes a system message; not a conversation that the assistant opens, so 'Please begin.' of the user's stands before it",
    "takes no system message: it is sent at the head of the first user message, and 'Please begin.' of the user's where the "
    "assistant opens",
)
"""The first of `probes` that a server takes -> what that says, for the user."""


def probes() -> tuple[tuple[ChatMessage, ...], ...]:
    """The question in three shapes: as it is, begun by the user, and with no system message."""
    opened = with_opening(PROBE)
    return PROBE, opened, _folded(opened)


def shapes(messages: Sequence[ChatMessage], first: int = 0) -> Iterator[tuple[int, tuple[ChatMessage, ...]]]:
    """(shape, the messages in it): as they are, alternating, and with no system message; each once, from `first` on."""
    opened = with_opening(messages)
    joined = _joined(opened)
    tried: list[tuple[ChatMessage, ...]] = []
    for shape, shaped in enumerate((opened, joined, _folded(joined))):
        if shape >= first and shaped not in tried:
            tried.append(shaped)
            yield shape, shaped


def with_opening(messages: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
    """The messages, with a word of the user's before the model's first where nobody else has spoken."""
    said = [place for place, one in enumerate(messages) if one.role != "system"]
    if said and messages[said[0]].role == "user":
        return tuple(messages)
    place = said[0] if said else len(messages)
    return (*messages[:place], ChatMessage("user", BEGIN), *messages[place:])


def _joined(messages: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
    """System messages as one at the head, then user and assistant in turn."""
    ordered = sorted(messages, key=lambda one: one.role != "system")  # stable: who said what when stays
    made: list[ChatMessage] = []
    for one in ordered:
        if made and made[-1].role == one.role:
            made[-1] = ChatMessage(one.role, f"{made[-1].content}\n\n{one.content}")
        else:
            made.append(one)
    return tuple(made)


def _folded(messages: tuple[ChatMessage, ...]) -> tuple[ChatMessage, ...]:
    """Joined messages without a system role: its words begin the first user message."""
    if len(messages) < 2 or messages[0].role != "system" or messages[1].role != "user":
        return messages
    return (ChatMessage("user", f"{messages[0].content}\n\n{messages[1].content}"), *messages[2:])
