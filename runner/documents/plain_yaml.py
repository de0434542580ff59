"""YAML that cbtrun itself wrote, read back from where anybody may have put something else: values alone, within bounds.

What a person writes is read by yaml_source, with the place of each value. This gives back what a YAML writer was given,
by that writer's own rules: `1e5` is a text for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from cbtrun.documents.yaml_source import check_bounds, text_in
from cbtrun.errors import SpecError


def read_plain_yaml(path: Path) -> dict[str, Any]:
    """The keys and values of a file. Raises SpecError for one that is too long, too deep, no YAML, or anything else."""
    text = text_in(path)
    check_bounds(text, str(path))
    try:
        content = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise SpecError.at(path, f"not valid YAML: {str(error).splitlines()[0]}") from None
    except (ValueError, OverflowError, RecursionError) as error:  # a number of thousands of digits, a date of month 99
        raise SpecError.at(path, f"holds a value that cannot be read ({str(error)[:80]})") from None
    if not isinstance(content, dict):
        raise SpecError.at(path, "expected keys and values at the top of the file")
    if (odd := next(_odd(content), None)) is not None:
        raise SpecError.at(path, f"holds {odd}, which cbtrun does not write")
    return content


def _odd(value: Any) -> Iterator[str]:
    """Keys that are no words and values that are neither text, number, list nor mapping, such as a date."""
    if isinstance(value, dict):
        yield from (f"a key that is no text ({type(key).__name__})" for key in value if not isinstance(key, str))
    elif not isinstance(value, str | int | float | list | None):
        yield f"a value of the kind '{type(value).__name__}'"
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _odd(inner)
