"""Chat templates that come with a model: rendered as transformers does, in the same sandbox but within limits.

They are programs of the model's makers, and need more than a prompt does: methods of texts and dicts, macros, `break`.
A template that would not end, or would fill the memory, is refused with that reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

from jinja2 import Template, nodes
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension, LoopControlExtension
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.tests import TESTS

from cbtrun.templates.environment import BoundedEnvironment, counted_loop
from cbtrun.templates.filters import PLAIN, check_growth, within_budget
from cbtrun.templates.limits import Budget, LimitError, check_plain, counted_size, current, spending

METHODS: Mapping[type, frozenset[str]] = {
    str: frozenset(
        "strip lstrip rstrip split rsplit splitlines startswith endswith replace upper lower title capitalize find rfind index "  # noqa: SIM905
        "rindex count join partition rpartition removeprefix removesuffix isdigit isalpha isalnum isspace isupper islower".split()
    ),
    dict: frozenset({"get", "items", "keys", "values"}),
    list: frozenset({"index", "count"}),
    tuple: frozenset({"index", "count"}),
}
"""What a chat template may call on a value."""

DAY = date(2024, 7, 26)
"""The day of `strftime_now`, which Llama's templates write where nobody names one."""
FILTERS_TOO = ("e", "escape", "safe", "format")
LONGEST = 300_000
"""Characters of a chat template; the longest known have 30,000."""


@dataclass(frozen=True)
class RenderedChat:
    """A dialogue as text, and where the template says that the assistant speaks."""

    text: str
    spans: tuple[tuple[int, int], ...]
    """First character and one past the last of each `{% generation %}`."""


class ChatTemplateLimit(Exception):
    """A chat template takes more than it may. Its message says what."""


def rendered_chat(template: str, messages: Sequence[Mapping[str, Any]], **variables: Any) -> RenderedChat:
    """The messages in the words of a chat template. variables: `add_generation_prompt`, special tokens, a date ...

    Raises ChatTemplateLimit for a template that would not end or needs too much; else what Jinja raises, and what the
    template itself does where it cannot render a dialogue.
    """
    plain = {"messages": [dict(message) for message in messages], "tools": None, "documents": None, **variables}
    check_plain(plain)
    size = sum(len(str(message["content"])) for message in messages)
    limits = Budget(
        steps=300_000 + 3_000 * len(messages),
        text=20_000_000 + 200 * size,
        size=2_000_000 + 20 * size,
        seconds=20.0,
    )
    tracked = _Tracked()
    _TRACKED.set(tracked)
    with spending(limits):
        try:
            for part in _compiled(template).generate(**plain):
                limits.step(len(part))
                tracked.add(part)
        except (LimitError, RecursionError, MemoryError) as error:
            what = str(error) if isinstance(error, LimitError) else "it is nested too deeply, or calls itself"
            raise ChatTemplateLimit(what) from None
    return RenderedChat("".join(tracked.parts), tuple(tracked.spans))


@lru_cache(maxsize=64)
def template_variables(template: str) -> frozenset[str]:
    """Names that a chat template asks its caller for, `messages` and the like among them; none of one that is broken."""
    from jinja2.meta import find_undeclared_variables

    tree = parsed_chat_template(template)
    return frozenset() if tree is None else frozenset(find_undeclared_variables(tree))


def parsed_chat_template(template: str) -> nodes.Template | None:
    """A chat template as Jinja reads it; none for one that is broken or too long."""
    if len(template) > LONGEST:
        return None
    try:
        return ChatEnvironment().parse(template)
    except (TemplateError, RecursionError):
        return None


@dataclass
class _Tracked:
    """The text so far, and the marked places in it."""

    parts: list[str] = field(default_factory=list)
    length: int = 0
    spans: list[tuple[int, int]] = field(default_factory=list)

    def add(self, part: str) -> None:
        self.parts.append(part)
        self.length += len(part)


_TRACKED: ContextVar[_Tracked] = ContextVar("cbtrun_tracked_chat")


class _Generation(Extension):
    """`{% generation %}`: notes where its text stands. It counts what was written before at the top of the template."""

    tags = {"generation"}  # noqa: RUF012  # as Jinja has it

    def parse(self, parser: Any) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        marked = self.call_method("marked")
        return nodes.CallBlock(marked, [], [], body).set_lineno(line)

    def marked(self, caller: Callable[[], str]) -> str:
        tracked, text = _TRACKED.get(), caller()
        tracked.spans.append((tracked.length, tracked.length + len(text)))
        return text


class ChatEnvironment(BoundedEnvironment):
    """The environment of chat templates: as transformers', with every call and value counted."""

    def __init__(self) -> None:
        super().__init__(
            (*PLAIN, *FILTERS_TOO), trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, LoopControlExtension]
        )
        self.filters["tojson"] = within_budget("tojson", _tojson)
        self.tests = dict(TESTS)
        self.globals |= {"raise_exception": _raise, "strftime_now": _date, "dict": dict}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """An allowed method of a text, dict or list before an entry of that name, as Jinja has it."""
        if attribute in METHODS.get(type(obj), ()):
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def is_callable(self, obj: Any) -> bool:
        """What prompts may call, macros, methods of the list, and transformers' own functions."""
        owner = getattr(obj, "__self__", None)
        return (
            isinstance(obj, Macro | LoopContext)
            or obj in (_raise, _date, dict)
            or isinstance(owner, _Generation)
            or getattr(obj, "__name__", "") in METHODS.get(type(owner), ())
            or super().is_callable(obj)
        )

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """A call, after what it could make is measured; the turns of a recursive loop are counted."""
        owner = getattr(obj, "__self__", None)
        if type(owner) in METHODS and self.is_callable(obj):
            counted_size(owner)
            check_growth(obj.__name__, [owner, *args], kwargs)
        elif isinstance(obj, LoopContext) and args:
            args = (counted_loop(args[0], 1), *args[1:])
        return super().call(context, obj, *args, **kwargs)


def _tojson(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """As transformers has it: Jinja's own is for HTML pages."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise(message: str) -> str:
    raise TemplateError(str(message))


def _date(form: str) -> str:
    """A fixed day in the template's form: a prompt must not depend on the day."""
    current().check_size(100 * len(form))
    return DAY.strftime(form)


@lru_cache(maxsize=16)
def _compiled(template: str) -> Template:
    if len(template) > LONGEST:
        raise LimitError(f"it has {len(template):,} characters; at most {LONGEST:,} are read")
    return ChatEnvironment().from_string(template)
