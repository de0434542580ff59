"""The filters and tests that templates of strangers have: pure ones, each within the running budget.

Left out of Jinja's are those that reach into objects (`attr`), are not the same twice (`random`), are meant for HTML
pages, or can be made to work for hours (`wordwrap`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, ItemsView, Iterable, KeysView, Mapping, Sequence, ValuesView
from functools import wraps
from typing import Any

from cbtrun.templates.limits import ENTRY, LimitError, check_scalar, counted_size, current

PLAIN = [
    "abs",
    "batch",
    "capitalize",
    "center",
    "count",
    "d",
    "default",
    "dictsort",
    "first",
    "float",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "slice",
    "sort",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "wordcount",
]
"""Filters of a prompt in a study."""

TESTS = [
    "odd",
    "even",
    "divisibleby",
    "defined",
    "undefined",
    "none",
    "boolean",
    "false",
    "true",
    "integer",
    "float",
    "lower",
    "upper",
    "string",
    "mapping",
    "number",
    "sequence",
    "iterable",
    "in",
    "==",
    "eq",
    "equalto",
    "!=",
    "ne",
    ">",
    "gt",
    "greaterthan",
    "ge",
    ">=",
    "<",
    "lt",
    "lessthan",
    "<=",
    "le",
]

PARAMETERS = {
    "replace": ("text", "old", "new"),
    "join": ("parts", "d"),
    "indent": ("text", "width"),
    "center": ("text", "width"),
    "tojson": ("value", "indent"),
    "slice": ("parts", "slices"),
    "batch": ("parts", "linecount"),
}
"""What can make any amount of text out of little, by the names of its parameters: refused before it is done."""

MOST_DIGITS = 15
_FORMAT = re.compile(r"%(?![sdi%])")


def allowed_filters(jinja: Mapping[str, Callable[..., Any]], names: Iterable[str]) -> dict[str, Callable[..., Any]]:
    """Jinja's filters of these names, each made to keep to the running budget."""
    table = {name: jinja[name] for name in names} | {"sum": _total}
    return {name: within_budget(name, filter) for name, filter in table.items()}


def check_growth(name: str, values: Sequence[Any], named: Mapping[str, Any]) -> None:
    """Refuse what a filter or a method of this name would make too large. Raises LimitError."""
    if name not in PARAMETERS:
        return
    made = {**dict(zip(PARAMETERS[name], values, strict=False)), **named}
    first, second, third = (*(made.get(parameter) for parameter in PARAMETERS[name]), None, None)[:3]
    whole, by = counted_size(first), _extent(second)
    places = len(first) if isinstance(first, str | list | tuple | dict | range) else whole
    if name == "replace":
        current().check_size(whole + (places // max(by, 1) + 1) * _extent(third))
    elif name in ("center", "slice", "batch"):
        current().check_size(whole + (by if name == "center" else ENTRY * by))
    else:
        current().check_size(whole + places * by)


def _extent(value: Any) -> int:
    """How much a number, or a text, can add."""
    if isinstance(value, int):
        return abs(value)
    return len(value) if isinstance(value, str | list | tuple | dict | range) else 1


def check_format(text: str) -> None:
    """Raises LimitError for `%10d` and the like: a width can ask for any amount of memory."""
    if _FORMAT.search(text):
        raise LimitError("it formats by '%' with more than a plain %s, %d or %i")


def within_budget(name: str, filter: Callable[..., Any]) -> Callable[..., Any]:
    """The filter as Jinja calls it, its arguments and its result measured. What Jinja hands it besides goes along."""
    passed = 1 if hasattr(filter, "jinja_pass_arg") else 0

    @wraps(filter)
    def measured(*given: Any, **named: Any) -> Any:
        values = [plain_list(one) for one in given[passed:]]
        known = [value for value in (*values, *named.values()) if is_plain(value)]
        for value in known:
            counted_size(value)
        check_growth(name, values, named)
        if name == "round":
            _check_round([*values, *named.values()])
        if name == "format":
            check_format(str(values[0]))
        result = plain_list(filter(*given[:passed], *values, **named))
        if is_plain(result):
            counted_size(result)
        return result

    return measured


def is_plain(value: Any) -> bool:
    """Whether it can be measured: not what stands for a value that is not there, which some filters take."""
    return value is None or isinstance(value, str | int | float | list | tuple | dict | range)


def plain_list(value: Any) -> Any:
    """A value as it is, but what is made while it is read as a list of at most as many entries as a value may have."""
    is_view = isinstance(value, KeysView | ValuesView | ItemsView)
    if isinstance(value, str | list | tuple | dict | range) or not (is_view or hasattr(value, "__next__")):
        return value
    budget, found = current(), []
    for one in value:
        budget.step()
        found.append(one)
        budget.check_size(ENTRY * len(found))
    return found


def _check_round(values: list[Any]) -> None:
    if any(isinstance(value, int) and abs(value) > MOST_DIGITS for value in values[1:]):
        raise LimitError(f"it rounds to more than {MOST_DIGITS} digits")


def _total(values: Iterable[Any], attribute: Any = None, start: Any = 0) -> Any:
    """The sum of numbers. Jinja's adds lists as well, each time anew."""
    parts = [part[attribute] for part in values] if attribute is not None else list(values)
    for part in (*parts, start):
        if isinstance(part, bool) or not isinstance(part, int | float):
            raise TypeError("only numbers have a sum")
        check_scalar(part)
    return sum(parts, start)
