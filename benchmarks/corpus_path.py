"""The corpus path: transcripts of 4,000 tokens to packed training rows; seconds, and memory as the corpus grows.

    python benchmarks/corpus_path.py                 # 1,160 transcripts, in memory: packed and ready to train
    python benchmarks/corpus_path.py --times 100     # a hundred times as many, streamed from disk to disk

Random weights are not needed, nor a network: the tokenizer is trained on the sentences it then reads. Streaming runs in
parts of 1,160: its memory is that of one part. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STORY = (
    "I thought that nobody would notice when the week began and what went through your mind then was a heavy feeling "
    "of having failed again so we could look at the evidence together before we plan something small for tomorrow "
    "morning since you said that walking helped a little while staying in bed made the day longer and more empty"
)
WORDS = tuple(STORY.split())
TURNS, TURN_WORDS = 64, 60
"""About 4,000 tokens with template and system message."""
PART = 1160
"""Transcripts of the study that this is about."""


def main() -> None:
    """Make the corpus on disk, then time reading, tokenising and packing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transcripts", type=int, default=PART)
    parser.add_argument("--times", type=int, default=1, help="so many times as many, streamed")
    parser.add_argument("--max-length", type=int, default=4096)
    asked = parser.parse_args()
    tokenizer = make_tokenizer()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "corpus.jsonl"
        write_corpus(path, asked.transcripts)
        began, told = time.monotonic(), []
        with (Path(folder) / "packs.jsonl").open("w") as file:
            for part in range(asked.times):
                told.append(pack_part(path, tokenizer, asked.max_length, file))
                if part in (0, asked.times // 2, asked.times - 1):
                    print(f"part {part + 1}: {told[-1]}, peak {peak_gib():.2f} GiB, {time.monotonic() - began:.1f} s")
    seconds = time.monotonic() - began
    found = {
        "transcripts": asked.transcripts * asked.times,
        "seconds": seconds,
        "tokens": sum(one["tokens"] for one in told),
        "tokens_per_second": sum(one["tokens"] for one in told) / seconds,
        "peak_gib": peak_gib(),
    }
    print(json.dumps({"benchmark": "corpus_path", **found}))


def pack_part(path: Path, tokenizer: Any, max_length: int, file: Any) -> dict[str, Any]:
    """Read one part of the corpus, tokenise it, pack it and write the packs."""
    from cbtrun.plugins.tuning.packed_rows import packs
    from cbtrun.plugins.tuning.training_rows import rows_of_each

    rows = [row for made, _ in rows_of_each(tokenizer, transcripts(path), max_length) for row in made]
    lengths = [len(row.input_ids) for row in rows]
    found = packs(lengths, max_length)
    for pack in found:
        file.write(json.dumps([rows[place].input_ids for place in pack]) + "\n")
    return {
        "rows": len(rows),
        "tokens": sum(lengths),
        "packs": len(found),
        "full": sum(lengths) / len(found) / max_length,
    }


def transcripts(path: Path) -> Iterator[Any]:
    """The transcripts of a file, one at a time."""
    from cbtrun.contract.records import Transcript

    with path.open(encoding="utf-8") as file:
        for line in file:
            yield Transcript.model_validate_json(line)


def write_corpus(path: Path, count: int) -> None:
    """Transcripts of random words, about 4,000 tokens each, some longer than a row."""
    draw = random.Random(2412)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            turns = TURNS + draw.randrange(-20, 8)
            said = [{"role": "system", "content": "You are a therapist."}]
            for turn in range(turns):
                content = " ".join(draw.choices(WORDS, k=TURN_WORDS + draw.randrange(-20, 20)))
                said.append({"role": ("patient", "therapist")[turn % 2], "content": content})
            file.write(json.dumps({"id": str(number), "persona": f"p{number // 20}", "messages": said}) + "\n")


def make_tokenizer() -> Any:
    """A byte-level BPE with Qwen 2.5's template: one without generation marks, the slower way."""
    from importlib.resources import files

    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator([STORY] * 8, vocab_size=2000, special_tokens=special, show_progress=False)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe._tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.chat_template = (files("trl") / "chat_templates" / "qwen2_5.jinja").read_text()
    return tokenizer


def peak_gib() -> float:
    """Most memory that this process had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
