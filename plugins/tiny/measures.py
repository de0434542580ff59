"""How well the embedded model talks, on dialogue with names, jobs and made-up words that its training never had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from .recipe.dialogue import Chat, conversation
from .tokens import chat_text


@dataclass(frozen=True)
class ChoiceCase:
    """A conversation up to an assistant's turn, the true reply, and false ones from other conversations."""

    context: Chat
    replies: tuple[str, ...]  # the true one first


def choice_cases(seed: str, count: int, role: str | None = None, choices: int = 10) -> list[ChoiceCase]:
    """Next-turn cases; the false replies are turns of the same kind of role, from as far into other conversations."""
    rng = Random(f"{seed}/choice")
    chats = [conversation(f"{seed}/{i}", held=True, role=role) for i in range(4 * count)]
    cases = []
    for i in range(count):
        chat = chats[i]
        turns = [t for t, m in enumerate(chat) if m["role"] == "assistant" and t >= 3]
        if not turns:
            continue
        turn = turns[rng.randrange(len(turns))]
        others: list[str] = []
        for chat2 in rng.sample(chats[count:], len(chats) - count):
            near = [m["content"] for t, m in enumerate(chat2) if m["role"] == "assistant" and abs(t - turn) <= 2]
            if near and chat2[0]["content"] and near[0] not in (chat[turn]["content"], *others):
                others.append(near[0])
            if len(others) == choices - 1:
                break
        cases.append(ChoiceCase(chat[:turn], (chat[turn]["content"], *others)))
    return cases


def mean_log_likelihoods(model: Any, tokenizer: Any, case: ChoiceCase, device: str) -> list[float]:
    """Mean log-likelihood (nats a token) of each reply after the context; tokenizer is a `tokenizers.Tokenizer`."""
    import torch

    head = tokenizer.encode(chat_text(case.context) + "<|assistant|>").ids
    bodies = [tokenizer.encode(reply + "<|end|>").ids for reply in case.replies]
    width = max(map(len, bodies))
    ids = torch.tensor([(head + body + [0] * (width - len(body))) for body in bodies], device=device)
    with torch.no_grad():
        logits = model(input_ids=ids, use_cache=False).logits[:, len(head) - 1 : -1].float()
    scores = logits.log_softmax(-1).gather(-1, ids[:, len(head) :, None])[..., 0]  # (replies, width)
    return [float(scores[i, : len(body)].mean()) for i, body in enumerate(bodies)]


def forced_choice(model: Any, tokenizer: Any, cases: Sequence[ChoiceCase], device: str = "cpu") -> float:
    """Share of cases in which the true reply is the likeliest; chance is one in the number of replies."""
    hits = 0
    for case in cases:
        scores = mean_log_likelihoods(model, tokenizer, case, device)
        hits += max(range(len(scores)), key=scores.__getitem__) == 0
    return hits / len(cases)


def held_out_loss(model: Any, tokenizer: Any, seed: str, count: int, device: str) -> float:
    """Mean cross-entropy in nats a token over whole held-out conversations."""
    import torch

    total, tokens = 0.0, 0
    for i in range(count):
        ids = torch.tensor(
            [tokenizer.encode(chat_text(conversation(f"{seed}/loss/{i}", held=True))).ids], device=device
        )
        ids = ids[:, : model.config.max_position_embeddings]
        with torch.no_grad():
            logits = model(input_ids=ids, use_cache=False).logits[0, :-1].float()
        total += float(torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum"))
        tokens += ids.shape[1] - 1
    return total / tokens


def held_out_figures(model: Any, tokenizer: Any, seed: str, device: str, count: int = 200) -> dict[str, float]:
    """Loss and forced choice on held-out conversations, all roles and the listener alone."""
    return {
        "held-out loss (nats/token)": round(held_out_loss(model, tokenizer, seed, count, device), 4),
        "forced choice of 10, all": round(forced_choice(model, tokenizer, choice_cases(seed, count), device), 3),
        "forced choice, listener": round(
            forced_choice(model, tokenizer, choice_cases(f"{seed}/l", count, "listener"), device), 3
        ),
    }
