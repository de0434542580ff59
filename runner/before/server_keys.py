"""What stands between a study and its servers: an address that cannot be called, a key that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbtrun.errors import ModelError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cbtrun.keys.secrets import KeyRing
    from cbtrun.study.spec import Study


def key_problems(study: Study, keys: KeyRing) -> Iterator[Problem]:
    """Each address that cannot be called, and each key that is missing or would go elsewhere; none is ever shown."""
    for name, model in study.models.items():
        for address in model.base_urls:
            step = "base_url"
            try:
                url = keys.address(address)
                step = "api_key_env"
                keys.key(model.api_key_env or None, url)
            except ModelError as error:
                yield Problem(study.place("models", name, step), f"models/{name}/{step}", str(error))
