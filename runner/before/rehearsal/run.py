"""What a rehearsal needs while it runs: the mock server, and keys that are none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cbtrun.before.rehearsal.study import URL, rehearsed
from cbtrun.keys.secrets import KeyRing

if TYPE_CHECKING:
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study

NO_KEY = "rehearsal-without-a-key"


@contextmanager
def rehearsal(study: Study, registry: Registry) -> Iterator[tuple[Study, KeyRing]]:
    """The study to rehearse and the keys for it, with the mock server at work as long as the block lasts.

    No variable of the environment is read: no real key can be sent anywhere.
    """
    from cbtrun.ratings.rubric import rubric_digest

    ready = rehearsed(study, registry)
    rubrics = {rubric_digest(rubric): rubric for rubric in study.rubrics().values()}
    with registry.ask("rehearsal_server", rubrics=rubrics) as address:
        yield ready, rehearsal_keys(ready, address)


def rehearsal_keys(study: Study, url: str) -> KeyRing:
    """A key ring with the server's address and, for every key that the study names, a word that is none."""
    named = {model.api_key_env for model in study.models.values()} - {""}
    return KeyRing({URL: url, **dict.fromkeys(map(str, named), NO_KEY)}, {}, ((None, "127.0.0.1"),))
