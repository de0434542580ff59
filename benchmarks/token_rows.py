"""How long a corpus takes to become token rows for a training, with a real tokenizer; no GPU.

    python benchmarks/token_rows.py --model FOLDER_OF_SMOLLM2 [--personas 58] [--max-length 4096]

The corpus is the grammar's, eight sessions a persona. The last line is JSON: seconds, CPU seconds, rows, tokens, a digest of
them all.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from cbtrun.contract.records import Transcript
from cbtrun.files.run_folder import RunFolder
from cbtrun.pipeline import run_study
from cbtrun.plugins.local_models.model_files import find_model, load_tokenizer
from cbtrun.plugins.tuning.training_rows import training_rows
from cbtrun.registry import load_registry
from cbtrun.run.options import RunOptions
from cbtrun.study.load import load_study


def main() -> None:
    """Write the corpus, then time its rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--personas", type=int, default=58)
    parser.add_argument("--max-length", type=int, default=4096)
    asked = parser.parse_args()
    transcripts = corpus(asked.personas)
    tokenizer = load_tokenizer(find_model(asked.model))
    began, cpu = time.perf_counter(), time.process_time()
    rows = training_rows(tokenizer, transcripts, asked.max_length).rows
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    tokens = sum(len(row.input_ids) for row in rows)
    told: dict[str, Any] = {
        "transcripts": len(transcripts),
        "rows": len(rows),
        "tokens": tokens,
        "wall_s": round(wall, 2),
        "cpu_s": round(cpu, 2),
    }
    print(
        json.dumps({"benchmark": "token_rows", **told, "digest": hashlib.sha256(repr(rows).encode()).hexdigest()[:16]})
    )


def corpus(personas: int) -> list[Transcript]:
    """Eight sessions of each persona."""
    spec = {
        "cbtrun": 1, "study": "rows", "seed": 2711, "contains": "none",
        "models": {"author": {"using": "grammar"}},
        "personas": {"train": {"using": "sampled", "attributes": "depression", "count": personas}},
        "corpus": {"cbt": {"using": "written-course", "author": "author", "personas": "train", "course": "depression-20", "register": "cbt", "sessions": [1, 3, 5, 8, 11, 14, 17, 19]}},
    }  # fmt: skip
    registry = load_registry()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "rows.yaml"
        path.write_text(yaml.safe_dump(spec))
        folder = RunFolder(Path(scratch) / "runs")
        run_study(load_study(path, registry=registry), registry, folder, RunOptions())
        lines = (folder.path / "corpus/cbt.jsonl").read_text(encoding="utf-8").splitlines()
    return [Transcript.model_validate_json(line) for line in lines]


if __name__ == "__main__":
    main()
