"""Sessions that a policy held, as tokens: one row a session, in which no token but the therapist's own may carry loss.

A row is what the policy read and drew, in order: the prompt of its first turn, then both sides' words up to its last token.
That is one sequence only where the prompt of each turn extends the one before, token for token; templates that write earlier
turns otherwise later on are refused before any work, and a session in which it happens all the same carries no loss.
The tokens are those that the model reads at its next turn: the tokenizer's of what was said. A model may have drawn the same
words as other tokens; the turns in which it did are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cbtrun.plugin import ChatMessage, ModelError, Reply, Request
from cbtrun.plugins.local_models.chat_format import request_chat, turn_ends
from cbtrun.plugins.local_models.chat_marks import TurnFormat, turn_format

TALKS = (
    (("system", "You help."), ("assistant", "Hello."), ("user", "I am low."), ("assistant", "Since when?")),
    (
        ("system", "You help."),
        ("user", "Hello?"),
        ("assistant", "Yes."),
        ("user", "I am low."),
        ("assistant", "Since when?"),
    ),
)
"""What a template is tried with: either side opens."""
MORE = (
    ("user", "Since June. It is hard.\n\nVery."),
    ("assistant", "I hear you."),
    ("user", "Thanks."),
    ("assistant", "Bye."),
)


class PrefixBroken(ModelError):
    """The prompt of a turn does not extend that of the turn before."""


@dataclass(frozen=True)
class Said:
    """One turn of the policy, as it was asked for and came back."""

    messages: tuple[ChatMessage, ...]
    """The prompt."""
    text: str
    """All that it said, markers included."""
    tokens: int
    """That it drew, its end left out."""
    ended: bool
    """Whether it drew the end of its turn itself; else a limit or a stop string ended it."""
    thought: bool = False
    """Whether it thought first: then what it said does not follow its prompt."""


@dataclass(frozen=True)
class Tokens:
    """A session as one sequence."""

    ids: tuple[int, ...]
    start: int
    """The policy's first token."""
    spoken: tuple[bool, ...]
    """Of each token of `ids`, whether the policy drew it."""
    redrawn: int = 0
    """Turns whose words the tokenizer writes with another number of tokens than were drawn."""


class SessionFormat:
    """How the sessions of one tokenizer become rows."""

    def __init__(self, tokenizer: Any) -> None:
        """Raises ModelError, PrefixBroken among them, for a template whose sessions are no single sequence."""
        self._format: TurnFormat = turn_format(tokenizer)
        self._ends = frozenset(turn_ends(tokenizer)) | self._format.ends
        self._tokenizer = tokenizer
        for talk in TALKS:
            _check(self, [ChatMessage(role, words) for role, words in (*talk, *MORE)])

    def tokens(self, said: Sequence[Said]) -> Tokens:
        """The session in which the policy said this, turn by turn. Raises PrefixBroken, and ModelError as a template does."""
        last = said[-1]
        whole = (*last.messages, ChatMessage("assistant", last.text))
        marked = self._format.mark(request_chat(whole))
        if len(marked.spans) != len(said):
            raise PrefixBroken(f"{len(said)} turns were asked for, and the chat template writes {len(marked.spans)}")
        spoken = [False] * len(marked.input_ids)
        redrawn = 0
        for number, (turn, (start, end)) in enumerate(zip(said, marked.spans, strict=True), start=1):
            self._extends(turn, marked.input_ids[:start], number)
            words = end
            while words > start and marked.input_ids[words - 1] in self._ends:
                words -= 1
            redrawn += words - start != turn.tokens
            if not turn.thought:
                drawn = end if turn.ended else words  # an end that nobody drew must not be learnt
                spoken[start:drawn] = [True] * (drawn - start)
        stop = marked.spans[-1][1]
        return Tokens(marked.input_ids[:stop], marked.spans[0][0], tuple(spoken[:stop]), redrawn)

    def _extends(self, turn: Said, before: Sequence[int], number: int) -> None:
        asked = self._format.prompt_ids(turn.messages)
        if [*asked] == [*before]:
            return
        place = next(
            (at for at, (a, b) in enumerate(zip(asked, before, strict=False)) if a != b), min(len(asked), len(before))
        )
        was, now = (self._tokenizer.decode(list(ids[place : place + 8])) for ids in (asked, before))
        raise PrefixBroken(
            f"the chat template writes what came before the therapist's turn {number} otherwise once more was said: from token "
            f"{place} on {was!r} became {now!r}. Sessions of several turns cannot be learnt from as one sequence; take a "
            "template that leaves earlier turns as they are"
        )


def said_in(request: Request, reply: Reply) -> Said:
    """A turn, from what was asked and what came back."""
    ended = reply.finish == "stop" and not request.stop
    return Said(request.messages, reply.text.strip(), reply.tokens_out, ended, bool(reply.thinking))


def _check(form: SessionFormat, talk: Sequence[ChatMessage]) -> None:
    turns = [place for place, message in enumerate(talk) if message.role == "assistant"]
    form.tokens([Said(tuple(talk[:place]), talk[place].content, 0, True) for place in turns])
