"""The small files of a model on the hub: those in this machine's cache, and, where a run asks for them, fetched."""

from __future__ import annotations

from pathlib import Path

SMALL = ("tokenizer_config.json", "chat_template.jinja", "chat_template.json", "config.json")
"""Files that say how a model is spoken to."""


def cached_folder(model: str, revision: str | None = None) -> Path | None:
    """The folder of a hub model in the cache, with at least its tokenizer's settings; none where it is not there."""
    try:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError
    except ImportError:  # an install without local models has no cache of them
        return None
    try:
        found = try_to_load_from_cache(model, SMALL[0], revision=revision)
    except HFValidationError:
        return None
    return Path(found).parent if isinstance(found, str) else None


def fetched_folder(model: str, revision: str | None = None) -> Path | None:
    """The same with the small files fetched from the hub; none where the hub does not give them."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        return None
    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=list(SMALL)))
    except Exception:  # no network, no such model, a licence: told where the model is opened
        return None
