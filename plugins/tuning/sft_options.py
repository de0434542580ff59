"""Options of the `sft` plugin: every hyper-parameter with its unit and default."""

from __future__ import annotations

from typing import Any

from cbtrun.plugin import Json


def option(kind: str, description: str, **more: Any) -> Json:
    """One option's schema."""
    return {"type": kind, "description": description, **more}


def most(count: int, *, always: bool = False) -> Json:
    """What is enough of an option in a rehearsal."""
    return {"x-rehearsal": {"most": count, **({"always": True} if always else {})}}


LORA: Json = {
    "type": "object",
    "additionalProperties": False,
    "default": {},
    "description": "The LoRA adapter (Hu et al. 2021, arXiv:2106.09685).",
    "properties": {
        "rank": option("integer", "Rank of the two thin matrices of each adapted layer.", minimum=1, default=16),
        "alpha": option("number", "Scale: the update counts alpha / rank.", exclusiveMinimum=0, default=32),
        "dropout": option(
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
            "x-rehearsal": {"as": "all-linear"},  # a stand-in's layers may have other names
            "description": "Layers to adapt: `all-linear` (all but the output layer), or names such as q_proj: each must be "
            "one of the base's, and none its embedding where the output layer is tied to it.",
        },
        "train_embeddings": option(
            "boolean",
            "Also train the whole embedding, and the output layer tied to it.",
            default=False,
        ),
        "rslora": option(
            "boolean", "Scale by alpha / sqrt(rank) (Kalajdzievski 2023, arXiv:2312.03732).", default=False
        ),
        "dora": option("boolean", "Weight-decomposed LoRA (Liu et al. 2024, arXiv:2402.09353).", default=False),
    },
}

HELD_OUT: Json = {
    "type": "object",
    "additionalProperties": False,
    "default": {},
    "description": "Sessions that are not trained on, to see the loss on them. Split by persona, never by session.",
    "properties": {
        "share": option(
            "number",
            "Share of the personas, 0 to 1; at least one if above 0. 0 trains on all.",
            minimum=0,
            exclusiveMaximum=1,
            default=0.0,
        ),
        "every": option(
            "integer", "Optimizer steps between two looks at the held-out loss.", minimum=1, default=50, **most(5)
        ),
    },
}

OPTIMISING: Json = {
    "learning_rate": option("number", "Highest learning rate of AdamW.", exclusiveMinimum=0, default=2e-4),
    "schedule": {
        "enum": ["linear", "cosine", "constant"],
        "default": "cosine",
        "description": "How the learning rate goes on after warm-up: down to zero, or as it is.",
    },
    "warmup_ratio": option(
        "number",
        "Share of the steps in which the learning rate rises from 0.",
        minimum=0,
        maximum=1,
        default=0.05,
    ),
    "max_steps": option("integer", "Optimizer steps; takes the place of epochs.", minimum=1, **most(8, always=True)),
    "epochs": option("number", "Passes over the corpus.", exclusiveMinimum=0, default=3),
    "weight_decay": option("number", "AdamW's weight decay.", minimum=0, default=0.0),
    "clip": option("number", "Largest norm of the gradient; 0 does not clip.", minimum=0, default=1.0),
}

BATCHES: Json = {
    "batch_size": option(
        "integer",
        "Rows (sessions, parts of long ones, or packs) in one pass on one device.",
        minimum=1,
        default=8,
        **most(1),
    ),
    "gradient_accumulation": option("integer", "Passes that make one optimizer step.", minimum=1, default=1, **most(1)),
    "batch_tokens": option(
        "integer",
        "Tokens that make one optimizer step, all devices together; takes the place of gradient_accumulation.",
        minimum=1,
        **{"x-rehearsal": {"drop": True}},
    ),
    "max_length": option("integer", "Most tokens of a row.", minimum=16, default=1024, **most(768)),
    "long": {
        "enum": ["split", "truncate", "drop"],
        "default": "split",
        "description": "A session longer than max_length: several rows, its first exchanges only, or left out. Always "
        "cut between turns; the adapter's lock file counts what became of how many.",
    },
    "carry": option(
        "integer",
        "Exchanges that a row of a split session repeats from the one before: context without loss.",
        minimum=0,
        default=0,
    ),
    "packing": option(
        "boolean",
        "Put several sessions into one row of max_length tokens, none seeing another: no time is lost on padding.",
        default=False,
    ),
}

MACHINE: Json = {
    "precision": {
        "enum": ["float32", "bfloat16"],
        "x-rehearsal": {"as": "float32"},
        "default": "float32",
        "description": "Number format of the base in training; the adapter itself is always float32.",
    },
    "quantisation": {
        "enum": ["none", "nf4"],
        "x-rehearsal": {"as": "none"},
        "default": "none",
        "description": "nf4 keeps the base in 4 bits (QLoRA, Dettmers et al. 2023, arXiv:2305.14314). Needs a GPU and "
        "cbtrun[qlora].",
    },
    "double_quantisation": option(
        "boolean", "With nf4: quantise the quantisation constants too, 0.4 bits a weight less.", default=True
    ),
    "attention": {
        "enum": ["auto", "sdpa", "eager", "flash_attention_2"],
        "x-rehearsal": {"as": "auto"},
        "default": "auto",
        "description": "Attention implementation. auto: torch's varlen kernel for packed rows, else sdpa.",
    },
    "checkpointing": option(
        "boolean",
        "Compute activations again in the backward pass instead of keeping them: a third slower, a fraction of the memory.",
        default=False,
    ),
    "liger": option(
        "boolean",
        "Liger's fused Triton kernels (GPU; needs cbtrun[liger]).",
        default=False,
        **{"x-rehearsal": {"as": False}},
    ),
    "compile": option(
        "boolean",
        "torch.compile for each decoder layer: a minute at the start, then faster.",
        default=False,
        **{"x-rehearsal": {"as": False}},
    ),
    "device": {
        "enum": ["cpu", "cuda", "auto"],
        "x-rehearsal": {"as": "cpu"},
        "default": "auto",
        "description": "Where to train; `auto` takes a GPU where there is one.",
    },
    "devices": {
        "anyOf": [{"type": "integer", "minimum": 1}, {"const": "all"}],
        "x-rehearsal": {"as": 1},
        "default": 1,
        "description": "GPUs (or, without one, CPU processes) that train one adapter together, each on its own "
        "batch_size; `all` takes what is there. The seeds of a job that takes fewer share the machine's GPUs.",
    },
    "sharding": option(
        "boolean",
        "With several devices: split the base over them (FSDP) instead of giving each a whole one. For what does not fit.",
        default=False,
    ),
    "threads": option(
        "integer",
        "CPU threads. Two on a busy machine can be slower than one.",
        minimum=1,
        default=2,
        **most(1),
    ),
}

KEEPING: Json = {
    "seeds": {
        "type": "array",
        "items": {"type": "integer", "minimum": 0},
        "minItems": 1,
        "uniqueItems": True,
        "default": [1],
        "x-rehearsal": {"most": 1},
        "description": "One adapter is trained for each.",
    },
    "checkpoint_steps": option("integer", "Optimizer steps between checkpoints.", minimum=1, default=50),
    "checkpoint_minutes": option(
        "number", "Minutes after which a checkpoint is written in any case.", exclusiveMinimum=0, default=10
    ),
    "report_to": {
        "type": "array",
        "items": {"enum": ["wandb", "mlflow", "tensorboard"]},
        "uniqueItems": True,
        "default": [],
        "x-rehearsal": {"as": []},
        "description": "Trackers that also get the curves (losses and settings, no words); each must be installed and set up by you, its server too. TensorBoard's files "
        "lie in the adapter's folder.",
    },
}

SCHEMA: Json = {
    "type": "object",
    "required": ["base", "corpus"],
    "additionalProperties": False,
    "properties": {
        "base": option("string", "The model to tune: a `transformers` model of the study.", **{"x-names": "models"}),
        "corpus": option("string", "What it is tuned on.", **{"x-names": "corpus"}),
        "lora": LORA,
        **OPTIMISING,
        **BATCHES,
        "held_out": HELD_OUT,
        **MACHINE,
        **KEEPING,
    },
}

NOT_DECIDING = (
    "threads",
    "device",
    "seeds",
    "checkpoint_steps",
    "checkpoint_minutes",
    "report_to",
    "using",
    "base",
    "corpus",
)
"""Options that a finished adapter does not depend on: where and how it was made, and names."""
