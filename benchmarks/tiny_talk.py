"""How well `cbtrun:tiny` talks: python benchmarks/tiny_talk.py [--model FOLDER] [--adapter FOLDER] [--cases 200]

Next-turn forced choice among ten, use of the patient's own words against shuffled replies, turns copied verbatim from
training, and sampled sessions to read. On a CPU, one thread, a few minutes. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from cbtrun.plugins.tiny import model_folder
from cbtrun.plugins.tiny.measures import choice_cases, forced_choice
from cbtrun.plugins.tiny.recipe.dialogue import Chat, conversation

COMMON_WORDS = (
    "a about after again all am an and any are as at back be because been but by can come could day did do does for "
    "from get go had has have he hear her here him his how i if in is it its just know like made make me more most "
    "much my no not now of on one or other our out over people say see she should so some than thank that the their "
    "them then there they thing think this to too tell up us very was way we well were what when where which who why "
    "will with would you your yours yes feel felt feeling sorry hard good going been really said"
)
COMMON = frozenset(COMMON_WORDS.split())


def content_words(text: str) -> set[str]:
    """Lower-case words that carry content."""
    return {word for word in re.findall(r"[a-z']+", text.lower()) if len(word) > 2 and word not in COMMON}


def reply(model: Any, tokenizer: Any, chat: Chat, seed: int) -> str:
    """One sampled turn of the assistant."""
    import torch

    torch.manual_seed(seed)
    prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.no_grad():
        out = model.generate(**prompt, max_new_tokens=80, do_sample=True, temperature=0.7, top_p=0.9)
    text: str = tokenizer.decode(out[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
    return text.strip()


def beginnings(seed: str, count: int) -> Iterator[tuple[Chat, str]]:
    """Held-out sessions up to a patient's turn, and the listener's true next turn."""
    for i in range(count):
        chat = conversation(f"{seed}/{i}", held=True, role="listener")
        turns = [t for t, message in enumerate(chat[:-1]) if message["role"] == "user"]
        turn = turns[min(len(turns) - 1, 1 + i % 6)]
        yield chat[: turn + 1], chat[turn + 1]["content"]


def generated_replies(model: Any, tokenizer: Any, seed: str, count: int) -> list[tuple[str, str]]:
    """(what the patient said last, the listener's sampled reply) after held-out beginnings of sessions."""
    return [
        (chat[-1]["content"], reply(model, tokenizer, chat, seed=i))
        for i, (chat, _) in enumerate(beginnings(seed, count))
    ]


def own_words(pairs: list[tuple[str, str]]) -> float:
    """Mean share of the patient's content words that come back in the reply."""
    shares = [
        len(content_words(said) & content_words(answer)) / len(content_words(said))
        for said, answer in pairs
        if content_words(said)
    ]
    return sum(shares) / len(shares)


def shuffled(pairs: list[tuple[str, str]], seed: str) -> list[tuple[str, str]]:
    """The same replies, each after what another patient said."""
    answers = [answer for _, answer in pairs]
    shift = 1 + Random(seed).randrange(len(answers) - 1)
    return [(said, answers[(i + shift) % len(answers)]) for i, (said, _) in enumerate(pairs)]


def copied_share(turns: list[str], training_seed: str, dialogues: int, least_words: int = 6) -> float:
    """Share of the turns of at least `least_words` words that stand word for word in that much training dialogue."""
    seen = {
        message["content"]
        for i in range(dialogues)
        for message in conversation(f"{training_seed}/train/{i // 800}/{i % 800}")
        if message["role"] == "assistant"
    }
    long = [turn for turn in turns if len(turn.split()) >= least_words]
    return sum(turn in seen for turn in long) / max(1, len(long))


def sampled_session(model: Any, tokenizer: Any, seed: int, turns: int = 8) -> Chat:
    """A session in which the model speaks both parts, after a held-out system prompt and a patient's first words."""
    start = conversation(f"talk/{seed}", held=True, role="listener")
    first_user = next(t for t, message in enumerate(start) if message["role"] == "user")
    chat = start[: first_user + 1]
    for turn in range(turns):
        chat = [*chat, {"role": "assistant", "content": reply(model, tokenizer, chat, 100 * seed + turn)}]
        patient = next_patient_turn(model, tokenizer, chat, 100 * seed + 50 + turn)
        chat = [*chat, {"role": "user", "content": patient}]
    return chat


def next_patient_turn(model: Any, tokenizer: Any, chat: Chat, seed: int) -> str:
    """The patient's next words, by the same model: it was trained on both parts."""
    import torch

    torch.manual_seed(seed)
    text = tokenizer.apply_chat_template(chat, tokenize=False) + "<|user|>"
    prompt = tokenizer(text, return_tensors="pt", add_special_tokens=False)
    with torch.no_grad():
        out = model.generate(
            input_ids=prompt["input_ids"], attention_mask=prompt["attention_mask"], max_new_tokens=80, do_sample=True,
            temperature=0.8, top_p=0.95,
        )  # fmt: skip
    spoken: str = tokenizer.decode(out[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
    return spoken.strip()


def load(folder: Path, adapter: Path | None) -> tuple[Any, Any]:
    """Model in float32 and its tokenizer, with an adapter merged when one is given."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    return model, tokenizer


def main() -> None:
    """Prints sessions, then the figures, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=model_folder())
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--sessions", type=int, default=3)
    given = parser.parse_args()
    model, tokenizer = load(given.model, given.adapter)
    for seed in range(given.sessions):
        for message in sampled_session(model, tokenizer, seed):
            print(f"{message['role']:>9}: {message['content']}")
        print()
    backend = tokenizer.backend_tokenizer
    pairs = generated_replies(model, tokenizer, "words", given.cases)
    figures = {
        "cases": given.cases,
        "forced_choice": round(forced_choice(model, backend, choice_cases("talk", given.cases)), 3),
        "forced_choice_listener": round(
            forced_choice(model, backend, choice_cases("talk-l", given.cases, "listener")), 3
        ),
        "forced_choice_chance": 0.1,
        "own_words": round(own_words(pairs), 3),
        "own_words_shuffled": round(own_words(shuffled(pairs, "shuffle")), 3),
        "copied_verbatim": round(copied_share([answer for _, answer in pairs], "2412", 8000), 3),
        "copied_verbatim_by_true_replies": round(
            copied_share([answer for _, answer in beginnings("words", given.cases)], "2412", 8000), 3
        ),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
