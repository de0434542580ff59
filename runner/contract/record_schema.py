"""JSON Schemas of records, each field described by the docstring below it.

Pydantic can read those docstrings itself, but does it whenever a class is made: a tenth of a second at every start.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

from cbtrun.contract.bounds import bounded
from cbtrun.contract.records import Json, Record

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def record_schema(record: type[Record], mode: Literal["validation", "serialization"] = "validation") -> Json:
    """JSON Schema (draft 2020-12) of a record and of the records in it."""
    schema: Json = {"$schema": DIALECT, **record.model_json_schema(mode=mode)}
    known = {one.__name__: one for one in _all_records(Record)}
    for name, part in {record.__name__: schema, **schema.get("$defs", {})}.items():
        if name in known:
            described = _descriptions(known[name])
            for field, properties in part.get("properties", {}).items():
                if field in described:
                    properties.setdefault("description", described[field])
    return bounded(schema)


def _all_records(record: type[Record]) -> Iterator[type[Record]]:
    yield record
    for one in record.__subclasses__():
        yield from _all_records(one)


def _descriptions(record: type[Record]) -> dict[str, str]:
    """Field -> its docstring, those of parent records included."""
    found: dict[str, str] = {}
    for one in reversed(record.__mro__):
        if issubclass(one, Record) and one is not Record:
            found |= dict(_docstrings(one))
    return found


def _docstrings(record: type[Record]) -> Iterator[tuple[str, str]]:
    (class_,) = ast.parse(textwrap.dedent(inspect.getsource(record))).body
    body = class_.body if isinstance(class_, ast.ClassDef) else []
    for field, below in pairwise(body):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            yield field.target.id, inspect.cleandoc(below.value.value)
