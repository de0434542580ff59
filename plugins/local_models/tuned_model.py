"""A base with its adapter in this process, once it is clear that it is the model that was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cbtrun.plugins.local_models.model_files import with_adapter
from cbtrun.plugins.local_models.trained_prompt import refuse_another_template
from cbtrun.plugins.local_models.turn_probes import (
    agreement,
    likelihoods,
    note_agreement,
    read_in_pieces,
    read_probes,
    refuse_another_model,
)


def tuned_model(model: Any, tokenizer: Any, adapter: Path, name: str, piece: int) -> Any:
    """The model with its adapter merged in.

    model: with row attention, on its device. name: the block's, for the user. piece: tokens of a prompt that are read at a
    time. Raises WrongModel where it renders a prompt or finds turns likely otherwise than its training did.
    """
    refuse_another_template(tokenizer, adapter)
    probes = read_probes(adapter)

    def asked(model: Any) -> list[float]:
        return likelihoods(probes, lambda ids: read_in_pieces(model, ids, piece))

    base = asked(model)
    tuned = with_adapter(model, adapter).eval()
    if probes:
        found = agreement(probes, base, asked(tuned))
        note_agreement(adapter, "transformers", found)
        refuse_another_model(found, f"model '{name}' with the adapter in {adapter}")
    return tuned
