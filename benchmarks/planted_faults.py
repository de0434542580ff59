"""Does a vLLM engine that is not the model that was trained get past the check before the first reply?

    python benchmarks/planted_faults.py --base FOLDER --adapter RUN/adapters/JOB/seed-1 --other RUN/adapters/JOB/seed-2    # a GPU

Plants each fault in copies, opens an engine over them as a study does, and asks it the adapter's turns. `right` must agree; every
other line must be refused. The last line is JSON: nats a token on the base and on the tuned model, what is allowed, and whether
it was refused.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cbtrun.errors import WrongModel
from cbtrun.plugins.local_models.turn_probes import AGREED
from cbtrun.plugins.vllm_models.engine import Asked
from cbtrun.plugins.vllm_models.shared_engine import SharedEngine
from cbtrun.plugins.vllm_models.vllm_model import SCHEMA

Plant = Callable[[Path, Path, Path], None]
"""Breaks copies. Given: the base's folder, the adapter's, another seed's adapter."""


def main() -> None:
    """Try each fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--other", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=[*FAULTS])
    asked = parser.parse_args()
    found = {}
    for name in asked.only:
        with tempfile.TemporaryDirectory() as scratch:
            base = Path(shutil.copytree(asked.base, Path(scratch) / "base"))
            adapter = Path(shutil.copytree(asked.adapter, Path(scratch) / "adapter"))
            FAULTS[name](base, adapter, asked.other)
            found[name] = asyncio.run(tried(base, adapter))
        print(name, found[name], flush=True)
    print(json.dumps({"benchmark": "planted_faults", **found}))


async def tried(base: Path, adapter: Path) -> dict[str, Any]:
    """One reply of an engine over the two folders."""
    defaults = {name: one["default"] for name, one in SCHEMA["properties"].items() if "default" in one}
    options = {
        **defaults,
        "dtype": "bfloat16",
        "max_model_len": 2048,
        "gpu_memory_utilization": 0.3,
        "enforce_eager": True,
    }
    (adapter / AGREED).unlink(missing_ok=True)
    shared = SharedEngine(str(base), options, [str(adapter)], users=1)
    try:
        refusal = None
        await shared.make(Asked([1, 2, 3], 4, 1, {"temperature": 0.0}, frozenset(), adapter=str(adapter)))
    except WrongModel as error:
        refusal = str(error)
    finally:
        await shared.leave()
    return {"refused": refusal is not None, **json.loads((adapter / AGREED).read_text()), "words": refusal}


def another_seed(_base: Path, adapter: Path, other: Path) -> None:
    """The weights of another seed's adapter."""
    shutil.copy(other / "adapter_model.safetensors", adapter)


def settings(**changed: Any) -> Plant:
    """Another scaling of the same weights."""

    def plant(_base: Path, adapter: Path, _other: Path) -> None:
        file = adapter / "adapter_config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))

    return plant


def untied(base: Path, _adapter: Path, _other: Path) -> None:
    """An output layer of its own, which is not the table of embeddings."""
    import torch
    from safetensors.torch import load_file, save_file

    weights = load_file(base / "model.safetensors")
    table = weights["model.embed_tokens.weight"]
    weights["lm_head.weight"] = (torch.randn_like(table.float()) * table.float().std()).to(table.dtype)
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    file = base / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "tie_word_embeddings": False}))


def no_weights(_base: Path, adapter: Path, _other: Path) -> None:
    """An adapter that changes nothing."""
    import torch
    from safetensors.torch import load_file, save_file

    weights = load_file(adapter / "adapter_model.safetensors")
    save_file({name: torch.zeros_like(one) for name, one in weights.items()}, adapter / "adapter_model.safetensors")


FAULTS: dict[str, Plant] = {
    "right": lambda *_: None,
    "another seed's adapter": another_seed,
    "half the rank's scaling": settings(lora_alpha=16),
    "rank-stabilised scaling": settings(use_rslora=True),
    "an adapter that changes nothing": no_weights,
    "an output layer of its own": untied,
}

if __name__ == "__main__":
    main()
