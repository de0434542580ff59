"""A prompt as a training rendered it, kept beside the adapter: whoever speaks with the adapter must render it alike.

A base whose chat template was changed meanwhile, or another template of the same name, gives prompts that the adapter never saw.
Its weights are right and its replies are worse, without a word.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import ChatMessage, WrongModel, write_atomically
from cbtrun.plugins.local_models.chat_format import therapist_chat
from cbtrun.plugins.local_models.chat_template import Chat
from cbtrun.plugins.local_models.spoken_format import spoken_format

if TYPE_CHECKING:
    from cbtrun.plugin import Transcript

FILE = "prompt.words.json"
"""No part of the adapter's digest. It holds words of the corpus: `cbtrun forget` removes `*.words.json`."""
EXCHANGES = 2


@dataclass(frozen=True)
class TrainedPrompt:
    """What stood before a turn of the therapist."""

    chat: Chat
    ids: tuple[int, ...]
    """Its tokens, up to where the therapist begins to speak."""


def trained_prompt(tokenizer: Any, transcripts: Iterable[Transcript]) -> TrainedPrompt | None:
    """The first prompt of the transcripts that has a turn of the therapist; none where there is none."""
    for transcript in transcripts:
        chat = therapist_chat(transcript.messages)
        turns = [place for place, message in enumerate(chat) if message["role"] == "assistant"][:EXCHANGES]
        if turns:
            before = chat[: turns[-1]]
            return TrainedPrompt(before, tuple(_ids(tokenizer, before)))
    return None


def write_prompt(folder: Path, prompt: TrainedPrompt | None) -> None:
    """Leave a prompt in an adapter's folder."""
    if prompt is not None:
        write_atomically(folder / FILE, json.dumps(asdict(prompt)) + "\n")


def refuse_another_template(tokenizer: Any, folder: Path) -> None:
    """Raises WrongModel where a tokenizer renders an adapter's prompt otherwise than its training did."""
    try:
        kept = json.loads((folder / FILE).read_text(encoding="utf-8"))
        chat, ids = kept["chat"], kept["ids"]
    except (OSError, ValueError, KeyError, TypeError):
        return  # a version before, or a training elsewhere, left none
    now = _ids(tokenizer, chat)
    if now != ids:
        raise WrongModel(
            f"the chat template renders a prompt otherwise than when the adapter in {folder} was trained ({len(now)} tokens, "
            f"{len(ids)} in training): the base's tokenizer or template was changed; train anew, or bring the old one back"
        )


def _ids(tokenizer: Any, chat: Chat) -> list[int]:
    messages = [ChatMessage(one["role"], one["content"]) for one in chat]  # type: ignore[arg-type]
    return spoken_format(tokenizer, {}, tuned=True).prompt_ids(messages)
