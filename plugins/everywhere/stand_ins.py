"""What stands in for models in a rehearsal: the embedded ones, here or behind a mock server."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from cbtrun.plugin import StandIn, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cbtrun.plugin import ModelContext, Rubric

SAMPLING = ("max_tokens", "temperature", "top_p", "top_k", "repetition_penalty")
"""Options of a local model that its stand-in keeps."""


@hookimpl
def rehearsal_model(context: ModelContext) -> StandIn:
    """The embedded language model in the architecture of the model's family."""
    from cbtrun.plugins.tiny.families import stand_in_for

    model = stand_in_for(str(context.options["model"]))
    kept = {name: context.options[name] for name in SAMPLING if name in context.options}
    return StandIn({"using": "transformers", "model": model, **kept}, f"{model} (3.4 million parameters)")


@hookimpl
def rehearsal_server(rubrics: Mapping[str, Rubric]) -> AbstractContextManager[str]:
    """The mock server with the embedded models' answers, in every vendor's protocol."""
    return _listening(rubrics)


@contextmanager
def _listening(rubrics: Mapping[str, Rubric]) -> Iterator[str]:
    from cbtrun.plugins.mock_server.answers import EmbeddedAnswers
    from cbtrun.plugins.mock_server.in_thread import listening
    from cbtrun.plugins.mock_server.server import MockServer

    with listening(MockServer(answer=EmbeddedAnswers(rubrics), remember=False)) as server:
        yield server.root
