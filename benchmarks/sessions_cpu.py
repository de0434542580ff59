"""The rate of sessions on a CPU: the `transformers` plugin beside a bare batched `generate` loop on the same model.

Both answer the same prompts: SESSIONS sessions of TURNS therapist turns, each prompt holding the session so far. The
plugin gets them as sessions do, one coroutine each, the next turn asked for when the last has come. The bare loop gets
all sessions' prompts of a turn as one left-padded batch, which is the best that it can have, with transformers' own
attention and cache; nothing keeps its replies independent of their neighbours.

    python benchmarks/sessions_cpu.py [--threads 2] [--sessions 20] [--turns 12] [--tokens 48] [--model cbtrun:tiny]

Takes one to three minutes. The last line is JSON: new tokens a second of each, and their ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from tiny_models import SENTENCES, make_model

from cbtrun.contract.models import ChatMessage, Draw, ModelContext, Request
from cbtrun.plugins import tiny
from cbtrun.plugins.local_models import transformers_model
from cbtrun.plugins.local_models.chat_format import prompt_text, request_chat
from cbtrun.plugins.local_models.model_files import find_model, load_base, load_tokenizer


def main() -> None:
    """Measure both in turns, so that what else the machine does falls on both, and print the result."""
    wanted = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        if not (tiny.model_folder() / "model.safetensors").exists() and wanted.model == tiny.MODEL_NAME:
            wanted.model = str(make_model(Path(scratch), hidden=256, layers=6, spread=0.02, vocabulary=4096))
        requests = [
            [request(session, turn, wanted) for turn in range(wanted.turns)] for session in range(wanted.sessions)
        ]
        rates: dict[str, list[float]] = {"plugin": [], "bare": []}
        for _ in range(wanted.rounds):
            rates["bare"].append(bare(requests, wanted))
            rates["plugin"].append(asyncio.run(plugin(requests, wanted)))
    best = {name: max(found) for name, found in rates.items()}
    setting = {name: getattr(wanted, name) for name in ("sessions", "turns", "tokens", "threads", "group")}
    rate = {f"{name}_tokens_per_second": round(found) for name, found in best.items()}
    print(json.dumps({**rate, **setting, "ratio": round(best["plugin"] / best["bare"], 2)}))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser()
    for name, default in {"threads": 2, "sessions": 20, "turns": 12, "tokens": 48, "group": 24, "rounds": 2}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--model", default=tiny.MODEL_NAME)
    return parser.parse_args()


def request(session: int, turn: int, wanted: argparse.Namespace) -> Request:
    """The prompt of a therapist's turn: the session so far, every session in other words."""
    said = [ChatMessage("system", "You listen, and answer in one short turn.")]
    for past in range(turn + 1):
        here = SENTENCES[(session + past) % len(SENTENCES)]
        more = SENTENCES[(session * 3 + past * 2) % len(SENTENCES)]
        said.append(ChatMessage("user", f"{here} {more} It is {session * 31 + past}."))
        if past < turn:
            said.append(ChatMessage("assistant", f"{more} {here}"))
    draw = Draw("therapist", str(session), turn=turn)
    return Request(tuple(said), draw, max_tokens=wanted.tokens, seed=session * 1000 + turn)


async def plugin(requests: list[list[Request]], wanted: argparse.Namespace) -> float:
    """New tokens a second of the plugin."""
    defaults = {key: one["default"] for key, one in transformers_model.SCHEMA["properties"].items() if "default" in one}
    mine = {"model": wanted.model, "device": "cpu", "threads": wanted.threads, "group": wanted.group}
    model = transformers_model.open_model(ModelContext("tiny", {**defaults, **mine}))

    async def session(turns: list[Request]) -> int:
        return sum([(await model.reply(turn)).tokens_out for turn in turns])

    await model.reply(requests[0][0])  # warm
    started = time.perf_counter()
    tokens = sum(await asyncio.gather(*(session(turns) for turns in requests)))
    seconds = time.perf_counter() - started
    await model.close()
    return tokens / seconds


def bare(requests: list[list[Request]], wanted: argparse.Namespace) -> float:
    """New tokens a second of transformers' own generate, turn by turn over all sessions."""
    import torch

    torch.set_num_threads(wanted.threads)
    files = find_model(wanted.model)
    tokenizer, model = load_tokenizer(files), load_base(files, "float32").eval()
    tokenizer.padding_side = "left"
    torch.manual_seed(0)
    warm(model, tokenizer, requests[0][0])
    started = time.perf_counter()
    tokens = sum(
        answered(model, tokenizer, [turns[turn] for turns in requests], wanted) for turn in range(wanted.turns)
    )
    return tokens / (time.perf_counter() - started)


def warm(model: Any, tokenizer: Any, first: Request) -> None:
    """Run once what is slow the first time."""
    answered(model, tokenizer, [first], argparse.Namespace(tokens=2))


def answered(model: Any, tokenizer: Any, batch: list[Request], wanted: argparse.Namespace) -> int:
    """New tokens, padding left out, of one batch."""
    prompts = [prompt_text(tokenizer, request_chat(one.messages)) for one in batch]
    inputs = tokenizer(
        prompts, return_tensors="pt", padding=True, add_special_tokens=False, return_token_type_ids=False
    )
    output = model.generate(
        **inputs,
        max_new_tokens=wanted.tokens,
        do_sample=True,
        temperature=0.7,
        top_k=50,
        top_p=0.95,
        pad_token_id=tokenizer.pad_token_id,
    )
    return int((output[:, inputs["input_ids"].shape[1] :] != tokenizer.pad_token_id).sum())


if __name__ == "__main__":
    main()
