"""Jinja's sandbox made narrower: no object but plain values, and every loop, call and value at a budget's cost.

A template is read by Jinja's own parser and compiled by Jinja's own compiler, so that what is allowed means what it
means everywhere; what could cost much is first wrapped in the tree (`_Counting`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jinja2 import Undefined, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS as JINJA_TESTS
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

from cbtrun.templates.filters import TESTS, allowed_filters, check_format, is_plain, plain_list
from cbtrun.templates.limits import LARGEST, LimitError, check_scalar, counted_size, current

LOOP_WORDS = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0", "previtem", "nextitem"})  # fmt: skip
"""What a template may ask of `loop`; `loop.cycle(...)` and `loop.changed(...)` it may call."""
LONGEST_RANGE = 10_000


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """An environment whose templates can neither reach an object nor run without end.

    Templates are rendered within `limits.spending(...)`.
    """

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, filters: Iterable[str], **options: Any) -> None:
        # Jinja works out constants when it compiles, under no budget: neither by its optimiser nor, with a finalize that
        # needs the context, when it writes output.
        super().__init__(optimized=False, finalize=_finalize, autoescape=False, **options)
        self.filters = allowed_filters(FILTERS, filters) | dict(_INTERNAL)
        self.tests = {name: JINJA_TESTS[name] for name in TESTS}
        self.globals: dict[str, Any] = {"range": bounded_range, "namespace": namespace}

    def _generate(self, source: nodes.Template, *args: Any, **options: Any) -> str:
        return super()._generate(_Counting().visit(source), *args, **options)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A dict's value, or what `loop` and `namespace` hold; never an attribute of a Python object."""
        if isinstance(obj, Undefined):
            return getattr(obj, attribute)  # says that obj itself is not there
        if isinstance(obj, LoopContext) and attribute in (LOOP_WORDS | {"cycle", "changed"}):
            return getattr(obj, attribute)
        if isinstance(obj, Namespace) and not attribute.startswith("_"):
            return self._held(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """An entry of a dict, list or text."""
        if isinstance(obj, Undefined):
            return obj[argument]
        if isinstance(obj, dict | list | tuple | str | range):
            try:
                return obj[argument]
            except (TypeError, LookupError):
                pass
        return self.undefined(_nothing_there(obj, argument), obj=obj, name=str(argument))

    def _held(self, obj: Any, attribute: str) -> Any:
        try:
            return getattr(obj, attribute)
        except AttributeError:
            return self.undefined(f"the namespace has no '{attribute}'", obj=obj, name=attribute)

    def is_callable(self, obj: Any) -> bool:
        """Whether a template may call it: `range`, `namespace`, `loop.cycle` and `loop.changed`."""
        return obj in (bounded_range, namespace) or isinstance(getattr(obj, "__self__", None), LoopContext)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """A call, if it is allowed, with arguments and result of a bearable size."""
        if isinstance(obj, Undefined):
            return obj()
        if not self.is_callable(obj):
            raise SecurityError(
                "it calls something; a template can call range(...), namespace(...) and loop.cycle(...)"
            )
        current().step()
        own = ("_loop_vars", "_block_vars")  # Jinja's, for itself
        for value in (*args, *(value for name, value in kwargs.items() if name not in own)):
            if is_plain(value):
                counted_size(value)
        result = plain_list(context.call(obj, *args, **kwargs))
        if is_plain(result):
            counted_size(result)
        return result

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic on numbers; texts and lists may be added, and repeated so far as they stay small."""
        for value in (left, right):
            if isinstance(value, Undefined):
                str(value)  # says what is not there
        current().step()
        if operator == "%" and isinstance(left, str):
            check_format(left)
        elif operator == "*" and not _are_numbers(left, right):
            check_repetition(left, right)
        elif operator == "**":
            _check_power(left, right)
        elif operator == "+":
            current().check_size(sum(len(value) for value in (left, right) if isinstance(value, str | list | tuple)))
        result = super().call_binop(context, operator, left, right)
        counted_size(result)
        return result


def bounded_range(*ends: int) -> range:
    """Whole numbers, at most 10,000. Raises LimitError for more."""
    numbers = range(*ends)
    if max(map(abs, ends)) > LARGEST or len(numbers) > LONGEST_RANGE:
        raise LimitError(f"a range in it is too long: at most {LONGEST_RANGE:,}")
    return numbers


def namespace(*given: Any, **values: Any) -> Namespace:
    """A place for what a loop is to leave behind, as in `set ns.total = ns.total + 1`."""
    return Namespace(*given, **values)


def check_repetition(left: Any, right: Any) -> None:
    """Refuse `'a' * 10000000000` before it is made. Raises LimitError."""
    whole, times = (left, right) if isinstance(left, str | list | tuple) else (right, left)
    if isinstance(times, int):
        current().check_size(counted_size(whole) * abs(times))


def _check_power(left: Any, right: Any) -> None:
    if _are_numbers(left, right) and isinstance(right, int) and abs(left) > 1 and abs(right) > 64:
        raise LimitError(f"a number in it is too large: at most {LARGEST:,}")
    for value in (left, right):
        check_scalar(value)


def _are_numbers(left: Any, right: Any) -> bool:
    return isinstance(left, int | float) and isinstance(right, int | float)


def _nothing_there(obj: Any, argument: Any) -> str:
    if isinstance(obj, dict):
        return (
            f"there is no '{str(argument)[:80]}' here; there are: {', '.join(str(key)[:80] for key in obj) or 'none'}"
        )
    kind = "a text" if isinstance(obj, str) else "a list" if isinstance(obj, list | tuple | range) else "a value"
    return f"{kind} has no '{str(argument)[:80]}'"


class _Counted:
    """What a loop goes through, each turn a step."""

    def __init__(self, values: Any, weight: int) -> None:
        self.values, self.weight = values, weight

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Any]:
        for value in self.values:
            current().step(self.weight)
            yield value


def counted_loop(values: Any, weight: int) -> Any:
    if isinstance(values, Undefined):
        iter(values)  # says what is not there, unless a loop over nothing is what it is taken for
    return _Counted(plain_list(values), weight)


def _bounded(value: Any) -> Any:
    if not isinstance(value, Namespace | Undefined) and not callable(value):
        counted_size(value)
    return value


def _kept(value: Any) -> Any:
    """What may be put into a namespace: plain values, so that nothing can hold itself."""
    counted_size(value)
    return value


def _joined(values: list[Any]) -> str:
    counted_size([value for value in values if not isinstance(value, Undefined)])
    return "".join(map(str, values))


def _charge(weight: int) -> str:
    current().step(weight)
    return ""


@pass_context
def _finalize(_: Context, value: Any) -> str:
    """What is written for a value: its text, measured first."""
    if not isinstance(value, Undefined):
        counted_size(value)
    return str(value)


_INTERNAL: Mapping[str, Callable[..., Any]] = {
    "cbtrun loop": counted_loop, "cbtrun bounded": _bounded, "cbtrun kept": _kept, "cbtrun joined": _joined, "cbtrun charge": _charge,
}  # fmt: skip
"""Filters that the tree is given. Called by name, as `map` can, they do no harm: what they count only ever goes down."""


class _Counting(NodeTransformer):
    """Puts counting into a template's tree: into loops, lists, assignments, joined text and macros."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802  # Jinja's name
        weight = _literal_text(node.body)
        self.generic_visit(node)
        node.iter = _filtered(node.iter, "loop", weight)
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Macro:  # noqa: N802
        self._charge_body(node)
        return node

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.CallBlock:  # noqa: N802
        self._charge_body(node)
        return node

    def _charge_body(self, node: Any) -> None:
        charge = _filtered(nodes.Const(_literal_text(node.body), lineno=node.lineno), "charge")
        self.generic_visit(node)
        node.body = [nodes.Output([charge], lineno=node.lineno), *node.body]

    def visit_Assign(self, node: nodes.Assign) -> nodes.Assign:  # noqa: N802
        self.generic_visit(node)
        into_namespace = next(node.target.find_all(nodes.NSRef), None) or isinstance(node.target, nodes.NSRef)
        node.node = _filtered(node.node, "kept" if into_namespace else "bounded")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), "joined")

    def _collection(self, node: Any) -> Any:
        self.generic_visit(node)
        return node if getattr(node, "ctx", "load") != "load" else _filtered(node, "bounded")

    visit_List = visit_Tuple = visit_Dict = _collection  # noqa: N815


def _filtered(node: Any, name: str, *arguments: int) -> nodes.Filter:
    given = [nodes.Const(argument, lineno=node.lineno) for argument in arguments]
    return nodes.Filter(node, f"cbtrun {name}", given, [], None, None, lineno=node.lineno)


def _literal_text(body: list[nodes.Node]) -> int:
    """Characters that stand in a part of a template as they are."""
    outer = [node for node in body if isinstance(node, nodes.TemplateData)]
    inner = [text for node in body for text in node.find_all(nodes.TemplateData)]
    return sum(len(text.data) for text in (*outer, *inner))
