"""Prompt templates of a study: what they may hold, and how they are filled in.

A template is a stranger's: it sees plain values, has the filters, tests and calls of a list, and ends within limits. What
it may not do is found before the run; what only some persona brings out (an empty list) fails that persona's session.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cbtrun.errors import StageError
from cbtrun.templates.limits import Budget, check_plain, spending

if TYPE_CHECKING:
    from jinja2 import Template, nodes

    from cbtrun.templates.environment import BoundedEnvironment

LONGEST = 100_000
"""Characters of a template."""
MOST_PARTS = 5_000
"""Words, operators and names of a template, its text apart."""
CALLS = ("range", "namespace")
LOOP_CALLS = ("cycle", "changed")
STATEMENTS = "for, if, set, with, filter"
_HARMLESS = frozenset(
    [
        "Add",
        "And",
        "AssignBlock",
        "Assign",
        "Compare",
        "Concat",
        "CondExpr",
        "Const",
        "Dict",
        "Div",
        "FilterBlock",
        "FloorDiv",
        "For",
        "Getitem",
        "If",
        "Keyword",
        "List",
        "Mod",
        "Mul",
        "Name",
        "Neg",
        "Not",
        "NSRef",
        "Operand",
        "Or",
        "Output",
        "Pair",
        "Pos",
        "Pow",
        "Slice",
        "Sub",
        "Template",
        "TemplateData",
        "Tuple",
        "With",
    ]
)
"""Parts of a template's tree that need no look; `Filter`, `Test`, `Call` and `Getattr` get one."""
_WORDS = {
    "Macro": "macro", "CallBlock": "call", "Include": "include", "Import": "import", "FromImport": "from", "Extends": "extends",
    "Block": "block", "ScopedEvalContextModifier": "autoescape", "Scope": "autoescape",
}  # fmt: skip


class TemplateFault(StageError):
    """A template cannot be filled in with what it is given."""


def budget() -> Budget:
    """What one prompt may take: thousands of times what a sound one does, and well under a second."""
    return Budget(steps=50_000, text=2_000_000, size=200_000, seconds=2.0)


def filled(template: str, variables: Mapping[str, Any]) -> str:
    """The template with its variables put in, white space around it taken off. Raises TemplateFault."""
    if "{" not in template:  # most prompts: then Jinja need not be loaded
        return template.strip()
    check_plain(dict(variables))
    with _faults_told(), spending(budget()) as limits:
        parts = []
        for part in compiled(template).generate(variables):
            limits.step(len(part))
            parts.append(part)
        text = "".join(parts)
        limits.check_size(len(text))
    return text.strip()


def template_faults(template: str, samples: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is wrong with a template, each with its line: what it may not hold, then what filling it in runs into.

    samples: whose values (for the message; may be empty) -> variables as the run will give them, at least one.
    """
    if "{" not in template:
        return []
    variables = frozenset(next(iter(samples.values())))
    if found := static_faults(template, variables):
        return found
    for whose, values in samples.items():
        try:
            filled(template, values)
        except TemplateFault as fault:
            return [f"{whose}: {fault}" if whose else str(fault)]
    return []


def static_faults(template: str, variables: frozenset[str]) -> list[str]:
    """What can be said of a template without filling it in: syntax, names, and all that is not on the list."""
    if len(template) > LONGEST:
        return [f"the template has {len(template):,} characters; at most {LONGEST:,} are read"]
    try:
        with _faults_told():
            tree = _environment().parse(template)
            found = [f"line {line} of the template: {what}" for line, what in _not_allowed(tree)]
            return list(dict.fromkeys(found)) or _unknown(tree, variables)
    except TemplateFault as fault:
        return [str(fault)]


@lru_cache(maxsize=64)
def used_variables(template: str) -> frozenset[str]:
    """The variables that a template names. Raises TemplateFault."""
    from jinja2 import meta

    if "{" not in template:
        return frozenset()
    with _faults_told():
        return frozenset(meta.find_undeclared_variables(_environment().parse(template)))


@lru_cache(maxsize=64)
def compiled(template: str) -> Template:
    """The template ready to be filled in. Raises TemplateFault for one that is not allowed, however it came here."""
    if len(template) > LONGEST:
        raise TemplateFault(f"the template has {len(template):,} characters; at most {LONGEST:,} are read")
    environment = _environment()
    for line, what in _not_allowed(environment.parse(template)):
        raise TemplateFault(f"line {line} of the template: {what}")
    return environment.from_string(template)


def _unknown(tree: nodes.Template, variables: frozenset[str]) -> list[str]:
    from jinja2 import meta

    used = meta.find_undeclared_variables(tree) - {*CALLS}
    known = ", ".join(sorted(variables))
    return [f"unknown variable '{name[:80]}' in the template; there are: {known}" for name in sorted(used - variables)]


def _not_allowed(tree: nodes.Template) -> Iterator[tuple[int, str]]:
    """Line and words of each part that is not on the list."""
    from jinja2 import nodes

    called = {id(call.node) for call in tree.find_all(nodes.Call)}
    for number, node in enumerate(tree.find_all(nodes.Node)):
        if number > MOST_PARTS:
            yield _line(node), f"the template has more than {MOST_PARTS:,} parts"
            return
        if what := _refused(node, id(node) in called):
            yield _line(node), what


def _line(node: nodes.Node) -> int:
    from jinja2 import nodes

    return node.lineno or next((part.lineno for part in node.find_all(nodes.Node) if part.lineno), 1)


def _refused(node: nodes.Node, is_called: bool) -> str | None:
    """Why a part of a template may not be there; none when it may."""
    kind = type(node).__name__
    name = str(getattr(node, "name", getattr(node, "attr", "")))[:80]
    environment = _environment()
    if kind == "Filter":
        own = sorted(one for one in environment.filters if " " not in one)
        return None if name in own else f"unknown filter '{name}'; there are: {', '.join(own)}"
    if kind == "Test":
        own = sorted(one for one in environment.tests if one.isalpha())
        return None if name in environment.tests else f"unknown test '{name}'; there are: {', '.join(own)}"
    if kind == "Call":
        return None if _may_be_called(node) else _call_words(node)
    if kind == "Getattr":
        if is_called:
            return None  # the call says it
        return f"'.{name}': a name that begins with '_' is nobody's value" if name.startswith("_") else None
    if kind == "Name" and (name.startswith("_") or name in ("self", "super", "caller", "varargs", "kwargs")):
        return f"the name '{name}' is not allowed"
    if kind == "Name" and name in CALLS and not is_called:
        return f"'{name}' can only be called: {name}(...)"
    if kind == "For" and getattr(node, "recursive", False):
        return "a loop may not be recursive"
    return None if kind in _HARMLESS else f"'{_WORDS.get(kind, kind)}' is not allowed; there are: {STATEMENTS}"


def _may_be_called(node: Any) -> bool:
    from jinja2 import nodes

    called = node.node
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        return False
    if isinstance(called, nodes.Getattr):
        return called.attr in LOOP_CALLS and isinstance(called.node, nodes.Name) and called.node.name == "loop"
    return isinstance(called, nodes.Name) and called.name in CALLS


def _call_words(node: Any) -> str:
    called = str(getattr(node.node, "attr", getattr(node.node, "name", "")))[:80]
    name = f"'{called}(...)'" if called else "a call"
    return f"{name} is not allowed: values are plain and have no methods; there are range(...), namespace(...), loop.cycle(...)"


class _faults_told:  # noqa: N801  # read as `with _faults_told():`
    """Says every error of a template as a TemplateFault, with the line where it is known."""

    def __enter__(self) -> None: ...

    def __exit__(self, _: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, TemplateFault):
            raise TemplateFault(told(error, trace)) from None


def told(error: Exception, trace: Any) -> str:
    """What went wrong, in words: Jinja's, ours, or Python's where a value is of the wrong kind."""
    line = getattr(error, "lineno", None) if type(error).__name__.startswith("Template") else None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    what = str(error) or type(error).__name__
    if isinstance(error, RecursionError | MemoryError) or "nested blocks" in what:
        what = "it is nested too deeply"
    elif isinstance(error, ZeroDivisionError):
        what = "it divides by zero"
    shown = " ".join(re.sub(r"\bdo_(\w+)\(\)", r"filter '\1'", what).split())[:300]
    return f"line {line} of the template: {shown}" if line else f"the template: {shown}"


@lru_cache(maxsize=1)
def _environment() -> BoundedEnvironment:
    from jinja2 import StrictUndefined

    from cbtrun.templates.environment import BoundedEnvironment
    from cbtrun.templates.filters import PLAIN

    return BoundedEnvironment(PLAIN, undefined=StrictUndefined, keep_trailing_newline=False)
