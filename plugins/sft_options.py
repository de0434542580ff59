"""Options of the `sft` plugin: every hyper-parameter with its unit and default."""

from __future__ import annotations

from typing import Any

from cbtrun.records import Json


def _option(kind: str, description: str, **more: Any) -> Json:
    return {"type": kind, "description": description, **more}


LORA: Json = {
    "type": "object",
    "additionalProperties": False,
    "default": {},
    "description": "The LoRA adapter (Hu et al. 2021, arXiv:2106.09685).",
    "properties": {
        "rank": _option("integer", "Rank of the two thin matrices of each adapted layer.", minimum=1, default=16),
        "alpha": _option("number", "Scale: the update counts alpha / rank.", exclusiveMinimum=0, default=32),
        "dropout": _option(
            "number",
            "Share of the adapter's inputs zeroed in training.",
            minimum=0,
            exclusiveMaximum=1,
            default=0.0,
        ),
        "target_modules": {
            "anyOf": [
                {"const": "all-linear"},
                {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
            ],
            "default": "all-linear",
            "description": "Layers to adapt: `all-linear` (all but the output layer), or names such as q_proj.",
        },
        "train_embeddings": _option(
            "boolean",
            "Also train the whole embedding, and the output layer tied to it.",
            default=False,
        ),
        "rslora": _option(
            "boolean", "Scale by alpha / sqrt(rank) (Kalajdzievski 2023, arXiv:2312.03732).", default=False
        ),
        "dora": _option("boolean", "Weight-decomposed LoRA (Liu et al. 2024, arXiv:2402.09353).", default=False),
    },
}

SCHEMA: Json = {
    "type": "object",
    "required": ["base", "corpus"],
    "additionalProperties": False,
    "properties": {
        "base": _option("string", "The model to tune: a `transformers` model of the study.", **{"x-names": "models"}),
        "corpus": _option("string", "What it is tuned on.", **{"x-names": "corpus"}),
        "lora": LORA,
        "learning_rate": _option("number", "Highest learning rate of AdamW.", exclusiveMinimum=0, default=2e-4),
        "schedule": {
            "enum": ["linear", "cosine", "constant"],
            "default": "cosine",
            "description": "How the learning rate goes on after warm-up: down to zero, or as it is.",
        },
        "warmup_ratio": _option(
            "number",
            "Share of the steps in which the learning rate rises from 0.",
            minimum=0,
            maximum=1,
            default=0.05,
        ),
        "max_steps": _option("integer", "Optimizer steps; takes the place of epochs.", minimum=1),
        "epochs": _option("number", "Passes over the corpus.", exclusiveMinimum=0, default=3),
        "batch_size": _option("integer", "Sessions (or parts of long ones) in one pass.", minimum=1, default=8),
        "gradient_accumulation": _option("integer", "Passes that make one optimizer step.", minimum=1, default=1),
        "weight_decay": _option("number", "AdamW's weight decay.", minimum=0, default=0.0),
        "clip": _option("number", "Largest norm of the gradient; 0 does not clip.", minimum=0, default=1.0),
        "max_length": _option(
            "integer",
            "Most tokens of a row; longer sessions are split between turns.",
            minimum=16,
            default=1024,
        ),
        "precision": {
            "enum": ["float32", "bfloat16"],
            "default": "float32",
            "description": "Number format of the base in training; the adapter itself is always float32.",
        },
        "checkpointing": _option(
            "boolean", "Compute activations again in the backward pass: slower, far less memory.", default=False
        ),
        "device": {
            "enum": ["cpu", "cuda", "auto"],
            "default": "auto",
            "description": "Where to train; `auto` takes a GPU where there is one.",
        },
        "threads": _option(
            "integer",
            "CPU threads. Two on a busy machine can be slower than one.",
            minimum=1,
            default=2,
        ),
        "seeds": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0},
            "minItems": 1,
            "uniqueItems": True,
            "default": [1],
            "description": "One adapter is trained for each.",
        },
        "checkpoint_steps": _option("integer", "Optimizer steps between checkpoints.", minimum=1, default=50),
        "checkpoint_minutes": _option(
            "number", "Minutes after which a checkpoint is written in any case.", exclusiveMinimum=0, default=10
        ),
    },
}

NOT_DECIDING = ("threads", "device", "seeds", "checkpoint_steps", "checkpoint_minutes", "using", "base", "corpus")
"""Options that a finished adapter does not depend on: where and how it was made, and names."""
