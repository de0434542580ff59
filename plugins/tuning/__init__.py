"""Fine-tuning: LoRA by TRL and PEFT, and what comes out of it."""
