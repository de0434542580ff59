"""What a model thinks and what it says: thinking is no part of a turn, of an answer or of what another model hears.

Reasoning models mark their thinking in the text itself, each family in its own way, where their server does not hold it
apart. One place knows the marks, for replies of every model and for turns that were said elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAMES = "think|thinking|thought|thoughts|reasoning|reflection|seed:think"
_OPENS = re.compile(
    rf"<(?:{_NAMES})>|(?-i:\[THINK\])|<\|(?:begin_of_thought|START_THINKING)\|>|◁think▷|<unused94>(?:thought\n)?|<\|channel>thought\b",
    re.IGNORECASE,
)
_CLOSES = re.compile(
    rf"</(?:{_NAMES})>|(?-i:\[/THINK\])|<\|(?:end_of_thought|END_THINKING)\|>|◁/think▷|<unused95>|<channel\|>",
    re.IGNORECASE,
)
_CHANNEL = re.compile(
    r"(?:<\|start\|>\s*+(?P<role>assistant)?)?<\|channel\|>(?P<channel>\w++)[^<]*+(?:<\|constrain\|>[^<]*+)?<\|message\|>"
)
_CHANNEL_ENDS = re.compile(r"<\|(?:end|return|call)\|>")
_FINAL = "assistantfinal"
_BARE_CHANNEL = re.compile(r"\A(?:analysis|commentary)(?=[A-Z\"'(])")
"""gpt-oss's channels where the tokens that mark them were left out: `analysisThe patient ...assistantfinalHello.`"""
_WRAPS = re.compile(
    r"\A(?:<answer>(.*?)(?:</answer>)?|<\|(?:START_RESPONSE|begin_of_solution)\|>(.*?)(?:<\|(?:END_RESPONSE|end_of_solution)\|>)?)\Z",
    re.DOTALL,
)
"""What some models put around what they say after they thought."""


@dataclass(frozen=True, slots=True)
class Said:
    """A text taken apart."""

    text: str
    """What was said: the text as it was, to the letter, where it holds no thinking."""
    thinking: str = ""
    found: bool = False
    """Whether there was a mark of thinking, with thoughts in it or without."""


def without_thinking(text: str) -> Said:
    """A text without the thinking in it: marked, before a lone closing mark, or after an opening mark that none closes.

    Linear in the text's length.
    """
    if _CHANNEL.search(text):
        return _without_channels(text)
    if channel := _BARE_CHANNEL.match(text):
        thinking, _, final = text[channel.end() :].partition(_FINAL)
        return Said(final.strip(), thinking.strip(), found=True)
    marks = [*((one.start(), one.end(), 1) for one in _OPENS.finditer(text))]
    marks += [(one.start(), one.end(), -1) for one in _CLOSES.finditer(text)]
    return _without_marked(text, sorted(marks)) if marks else Said(text)


def opened_thinking(prompt: str) -> str:
    """The mark with which a prompt leaves a thought open, blanks after it included; empty where it leaves none."""
    marks = list(_OPENS.finditer(prompt))
    return prompt[marks[-1].start() :] if marks and not prompt[marks[-1].end() :].strip() else ""


def _without_marked(text: str, marks: list[tuple[int, int, int]]) -> Said:
    """marks: (first character, one past the last, 1 for an opening and -1 for a closing one), in order."""
    said: list[str] = []
    thought: list[str] = []
    depth, place = 0, 0
    for start, end, step in marks:
        between = text[place:start]
        if step < 0 and depth == 0 and text[end:].strip():  # all before a lone closing mark was thought
            thought += [*said, between]
            said = []
        else:
            (thought if depth else said).append(between)
        depth, place = max(0, depth + step), end
    (thought if depth else said).append(text[place:])
    return Said(_unwrapped("".join(said).strip()), "\n".join(one.strip() for one in thought if one.strip()), found=True)


def _unwrapped(text: str) -> str:
    wrapped = _WRAPS.match(text)
    return (wrapped[1] or wrapped[2] or "").strip() if wrapped else text


def _without_channels(text: str) -> Said:
    """gpt-oss's channels: what stands in `final` is said, what stands in the others is thought."""
    said: list[str] = []
    thought: list[str] = []
    heads = list(_CHANNEL.finditer(text))
    if before := text[: heads[0].start()].strip():
        thought.append(before)
    for head, after in zip(heads, [*(one.start() for one in heads[1:]), len(text)], strict=True):
        words = _CHANNEL_ENDS.sub("", text[head.end() : after]).strip()
        (said if head["channel"] == "final" else thought).append(words)
    return Said("\n".join(said), "\n".join(one for one in thought if one), found=True)
