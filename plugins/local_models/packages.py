"""What the extra `local` brings; without it nothing here is imported."""

PACKAGES = ("torch", "transformers", "accelerate", "peft", "safetensors")
"""By the names that Python imports."""
