"""What of a reply is said: of every model, fresh or from the journal, before anybody hears it.

Thinking goes out of the text and is kept beside it. A reply that is nothing but thinking, one that the server withheld,
and one that its server broke off is no turn and no answer.
"""

from __future__ import annotations

from dataclasses import replace

from cbtrun.contract.models import Reply, Request
from cbtrun.contract.thinking import without_thinking
from cbtrun.errors import ModelError, ServerFault

BROKEN_OFF = frozenset(
    {
        "error",
        "abort",
        "aborted",
        "cancelled",
        "canceled",
        "network_error",
        "engine_error",
        "insufficient_system_resource",
    }
)
"""Why a reply ended, where its server failed meanwhile (OpenRouter, vLLM, Zhipu, DeepSeek): what came is half of it."""
WITHHELD = frozenset(
    {"content_filter", "content-filter", "filter", "filtered", "refusal", "refused", "safety", "sensitive"}
)
"""Why a reply ended, where the server or the model would not say it."""
NO_ANSWER = "[THINK]"
"""Mistral's mark of a thought, which begins as a list of JSON does."""
HIDDEN = "(not shown by the server)"
"""Stands for thinking of which nothing but its cost is known."""


class NotSpokenError(ModelError):
    """A reply that holds thinking and not a word besides."""

    def __init__(self, what: str, reply: Reply) -> None:
        super().__init__(what)
        self.reply = reply


def _is_answer(text: str) -> bool:
    """Whether a text begins as a structured answer does."""
    begun = text.lstrip()
    return begun.startswith(("{", "[")) and not begun.startswith(NO_ANSWER)


def spoken(reply: Reply, request: Request) -> Reply:
    """The reply with all thinking moved out of its text; the reply itself where it holds none."""
    if request.schema is not None and _is_answer(reply.text):
        return reply  # what stands in it may quote a mark
    said = without_thinking(reply.text)
    if not said.found:
        return reply
    thinking = "\n".join(one for one in (reply.thinking, said.thinking) if one)
    return replace(reply, text=said.text, thinking=thinking)


def fresh(reply: Reply, request: Request) -> Reply:
    """A reply that just came, thinking apart. Raises ServerFault for one that was broken off: it is asked for again."""
    if reply.finish.lower() in BROKEN_OFF:
        raise ServerFault(f"the server broke the reply off (finish_reason: {reply.finish})")
    reply = spoken(reply, request)
    if reply.finish == "length" and not reply.text.strip() and not reply.thinking and reply.tokens_out:
        return replace(reply, thinking=HIDDEN)
    return reply


def refuse_withheld(reply: Reply, request: Request, model: str) -> None:
    """Raises ModelError for words that were withheld, in whole or in part. A structured answer is asked for once more."""
    if request.schema is None and reply.finish.lower() in WITHHELD:
        came = "what came is a refusal or half a reply" if reply.text.strip() else "nothing came"
        raise ModelError(
            f"model '{model}' withheld its reply as {request.draw.role} (finish_reason: {reply.finish}); {came}, and it is "
            "no turn. Choose a model or a server that may speak about this"
        )


def refuse_unspoken(reply: Reply, request: Request, model: str) -> None:
    """Raises NotSpokenError for a reply that is thinking alone, cut at its bound. One that ended of itself may be asked anew."""
    spent_all = request.max_tokens is not None and reply.tokens_out >= request.max_tokens
    if not reply.thinking or reply.text.strip() or not (reply.finish == "length" or spent_all):
        return
    role, bound = request.draw.role, f" (now {request.max_tokens:,})" if request.max_tokens else ""
    spent_on = "blanks, or on thinking that its server does not show" if reply.thinking == HIDDEN else "thinking"
    raise NotSpokenError(
        f"model '{model}' spent its whole reply as {role} on {spent_on} ({reply.tokens_out:,} tokens, finish_reason: "
        f"{reply.finish}) and said nothing; raise {_bound_of(role)}{bound}, or have it think less (`thinking:`)",
        reply,
    )


def _bound_of(role: str) -> str:
    return f"sessions.max_tokens.{role}" if role in ("therapist", "patient") else "max_tokens"
