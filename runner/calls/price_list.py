"""Prices as vendors' own pages stated them on a day: for models whose block says none, at the vendor's own address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cbtrun.contract.study_blocks import addresses_of

if TYPE_CHECKING:
    from cbtrun.calls.server_terms import Prices

FILE = "prices.yaml"
_DAY = re.compile(r"-(20\d{6}|20\d\d-\d\d-\d\d)$")
"""The day of a version, behind a model's name: a vendor's page prices all versions alike."""


def listed_prices(options: Mapping[str, Any]) -> Prices | None:
    """The prices of a model's block by the list; none where its server or its model does not stand there."""
    address = next(iter(addresses_of(options)), "")
    if not address.startswith("https://"):
        return None  # on a machine of one's own nothing is paid
    host = urlsplit(address).hostname or ""
    vendor = price_list()["vendors"].get(host)
    name = _DAY.sub("", str(options.get("model")))
    found = vendor and vendor["models"].get(name)
    if not found:
        return None
    from cbtrun.calls.server_terms import Prices

    source = f"cbtrun's list of {price_list()['date']} ({found.get('source', vendor['source'])})"
    return Prices(
        found["input"],
        found["output"],
        found.get("cached_input"),
        found.get("cache_write"),
        batch=vendor["batch"],
        source=source,
    )


@cache
def price_list() -> Mapping[str, Any]:
    """The list as shipped, with its date."""
    from cbtrun.documents.plain_yaml import read_plain_yaml

    return read_plain_yaml(Path(str(files("cbtrun.calls") / FILE)))
