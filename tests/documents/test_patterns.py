"""Regular expressions: ours take linear time, a stranger's are checked and bounded."""

from __future__ import annotations

import ast
import importlib
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import cbtrun
import cbtrun.plugins
from cbtrun.calls.structured import answer_text
from cbtrun.contract.records import Turn
from cbtrun.contract.thinking import without_thinking
from cbtrun.documents.patterns import bounded, pattern_fault
from cbtrun.errors import StageError
from cbtrun.plugins.corpus.checks.transcript import OTHER_SPEAKER
from cbtrun.plugins.dialogue.notes import without_note
from cbtrun.plugins.fidelity.clinical_register import CHECK
from cbtrun.plugins.fidelity.finding import Case
from cbtrun.plugins.wording.phrasing import parse
from cbtrun.ratings.evidence import plain

ROOT = Path(cbtrun.__file__).parent
PLUGINS = Path(cbtrun.plugins.__file__).parent
SIZE = 30_000
"""Characters of a padded turn. A linear pattern reads them in a millisecond, a quadratic one in many seconds."""
PADDING = (
    " ",
    "\n",
    "\n ",
    "\t",
    ".",
    ". ",
    ". . ",
    "-",
    "- ",
    "*",
    "_",
    "a",
    "a ",
    "1. ",
    "'",
    '"',
    "<",
    "[",
    "{",
    "`",
    "#",
    "```json\n",
)

ENDLESS = (
    r"(a+)+$", r"(so |so )*b", r"(a|aa)+$", r"(.*)*x", r"([a-z]+)*$", r"(\w+\s?)*$", r"^(a?){50}a{50}$", r"(?:a{1,100}){1,100}b",
    r"(x+x+)+y", r"(?:\w+|\d+)*x", r"((a*)*)*", r"(a*?)*b", r"(?=(a+)+$)", r"(?:\s*\S+\s*)+$", r"(?:a|b|ab)*c", r"(.+.+)+x",
    r"(a)(\1|a)*b", r"(?:\w+[ ,]*){6,}x", r"(?:.|\n)*x", r"(?i)(a+)+$", r"(?P<w>a+)+$", r"(?!(a+)+$)", r"(?>b)(a+)+$",
    r"(?:(?:a|b?)+)+c", r"(a{1000}){1000}",
)  # fmt: skip
BROKEN = (
    r"(a",
    r"a{99999999999}",
    "(" * 2400 + "a" + ")" * 2400,
    "a" * 6000,
    r"(?<=a+)b",
    r"[a",
    r"\1",
    r"(?<n>a)",
    r"a{e<=3}",
)
SOUND = (
    r"\b(thank you|well done)\b", r"\bwhat\b.*\b(want|like)\b.*\?", r"^((so|and|but),? )*you\b", r"(?:\w+ )*x", r"(\w+ ){0,4}y",
    r"(?:a{3})*b", r"(?:ab|cd)*e", r"(?:\d+,)*\d+", r"(?:\w++ ?)+$", r"\b(how|why)\b(?! (many|much)\b).*\?", r"(a)\1",
)  # fmt: skip


@pytest.mark.parametrize("pattern", ENDLESS)
def test_a_loop_that_reads_a_text_in_two_ways_is_refused(pattern: str) -> None:
    assert "could take for ever" in (pattern_fault(pattern) or "")


@pytest.mark.parametrize("pattern", BROKEN, ids=lambda text: text[:12])
def test_what_is_no_pattern_is_refused_with_words(pattern: str) -> None:
    fault = pattern_fault(pattern)
    assert fault
    assert len(fault) < 250


@pytest.mark.parametrize("pattern", SOUND)
def test_a_sound_pattern_is_taken(pattern: str) -> None:
    assert pattern_fault(pattern) is None


def test_a_slow_pattern_meets_the_time_limit_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cbtrun.documents.patterns.SECONDS", 0.05)
    with pytest.raises(
        StageError, match=r"one of the regular expressions 'a\*a\*a\*a\*\[bc\]' takes longer than 0.05 s"
    ):
        bounded(("a*a*a*a*[bc]",)).search("a" * 5000)


def test_patterns_keep_their_groups_and_flags_to_themselves() -> None:
    assert bounded(("(x)y", r"(a)\1")).search("aa")
    assert not bounded(("(x)y", r"(a)\1")).search("ax")
    assert bounded(("(?P<n>x)", "(?P<n>y)", "(?i)z")).search("Z")
    assert not bounded(("(?i)z", "q")).search("Q")
    assert bounded(("THANK",), ignore_case=True).search("thank you")


def test_a_rubrics_endless_signal_is_refused_with_its_line(study_project: Any) -> None:
    project = study_project({})
    assert project.run("new", "rubric", "warmth").code == 0
    assert project.run("new", "study", "mine").code == 0
    rubric, study = project.folder / "warmth.yaml", project.folder / "mine.yaml"
    document = yaml.safe_load(rubric.read_text())
    name = next(key for key, signal in document["signals"].items() if "any" in signal)
    document["signals"][name]["any"] = ["(a+)+$"]
    rubric.write_text(yaml.safe_dump(document), encoding="utf-8")
    study.write_text(study.read_text().replace("rubric: ctrs", "rubric: ./warmth.yaml"), encoding="utf-8")
    outcome = project.run("validate", "mine.yaml")
    assert outcome.code == 2
    assert f"signals/{name}/any/0: '(a+)+$' could take for ever" in outcome.err
    assert re.search(r"warmth\.yaml:\d+:\d+: ", outcome.err)


@pytest.mark.parametrize("wording", ["(" * 5000 + "a" + ")" * 5000, "[" * 3000, "(a|" * 60, "a|" * 20_000])
def test_a_wording_of_absurd_size_is_refused(wording: str) -> None:
    with pytest.raises(ValueError, match="at most 10,000 characters and 50 brackets"):
        parse(wording)


# Ours


def _modules() -> Iterator[tuple[ModuleType, Path]]:
    for top, name in ((ROOT, "cbtrun"), (PLUGINS, "cbtrun.plugins")):
        for path in sorted(top.rglob("*.py")):
            if (
                "re." in (text := path.read_text(encoding="utf-8"))
                and "import re" in text
                and "scaffold_files" not in path.parts
            ):
                parts = path.relative_to(top).with_suffix("").parts
                yield importlib.import_module(".".join((name, *parts))), path


def _held(value: Any, depth: int = 0) -> Iterator[re.Pattern[str]]:
    """Compiled patterns in a module's constant."""
    if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
        yield value
    elif depth < 3 and isinstance(value, list | tuple | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _held(part, depth + 1)


def _written(module: ModuleType, path: Path) -> Iterator[re.Pattern[str]]:
    """Patterns that a call of `re` in the source names: as text, or by a constant of the module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            first, of = node.args[0], node.func.value
            text = getattr(module, first.id, None) if isinstance(first, ast.Name) else getattr(first, "value", None)
            if isinstance(of, ast.Name) and of.id == "re" and isinstance(text, str):
                yield re.compile(text)


def _words(tree: Any) -> str:
    """A text of the pattern's own words, so that it gets as far as it can."""
    said = []
    for name, value in tree:
        kind = str(name)
        if kind == "LITERAL":
            said.append(chr(value))
        elif kind == "SUBPATTERN":
            said.append(_words(value[3]))
        elif kind in ("MAX_REPEAT", "POSSESSIVE_REPEAT"):
            said.append(_words(value[2]) * max(1, min(value[0], 3)))
        elif kind == "BRANCH":
            said.append(_words(value[1][0]))
        elif kind in ("IN", "ANY"):
            known = next((of for what, of in value or () if str(what) == "LITERAL"), ord("a"))
            said.append(chr(known) if kind == "IN" and str(value[0][0]) != "NEGATE" else "a")
    return "".join(said)


@contextmanager
def _at_most(seconds: float, what: str) -> Iterator[None]:
    """Stops what does not end, by the CPU time of this process: a pattern gives way to a signal, to nothing else."""

    def stop(*_: object) -> None:
        raise AssertionError(f"not done in {seconds} s of CPU: {what}")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _padded(pattern: re.Pattern[str], paddings: tuple[str, ...]) -> Iterator[str]:
    words = _words(re._parser.parse(pattern.pattern))  # type: ignore[attr-defined]
    for piece in (*paddings, words, f"{words} ", f"{words[:-1]}\n"):
        run = (piece * SIZE)[:SIZE] if len(piece) == 1 else piece * (SIZE // max(len(piece), 1))
        yield f"x{run}y"
        yield f"{words}{run}!"
        yield f"\n{run}{words[: len(words) // 2]}"


@pytest.mark.parametrize(
    "paddings", [(" ", "\n"), pytest.param(PADDING, marks=[pytest.mark.slow, pytest.mark.long])], ids=["white", "all"]
)
def test_none_of_our_patterns_takes_long_over_a_padded_text(paddings: tuple[str, ...]) -> None:
    patterns = {}
    for module, path in _modules():
        held = [pattern for value in vars(module).values() for pattern in _held(value)]
        patterns |= dict.fromkeys((*held, *_written(module, path)), module.__name__)
    assert len(patterns) > 100
    for pattern, module in patterns.items():
        if not re.search(r"[*+]|,\}", pattern.pattern):
            continue  # what repeats nothing without end looks at every place once
        for text in _padded(pattern, paddings):
            with _at_most(5, f"{module}: {pattern.pattern[:100]!r} on {text[:20]!r}..."):
                pattern.search(text)


@pytest.mark.parametrize("run", ["\n", " ", "\n ", "`\n", "- ", "1. ", ". "])
def test_what_reads_replies_takes_no_long_time_over_white_space(run: str) -> None:
    text = run * (SIZE // len(run))
    with _at_most(10, repr(run)):
        answer_text("```json" + text)
        answer_text("```json" + text + "x")
        without_thinking("<think>" + text)
        plain(text)
        without_note("[Note to you alone: " + text)
        list(CHECK.find(Case((Turn(speaker="patient", text=text + "x"),), None, "", 9)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ('```json\n{"a": 1}\n```', '{"a": 1}'), ('```\n\n {"a": 1}\n  ```', '{"a": 1}'), ("```json\n```", ""), ('{"a": 1}', '{"a": 1}'),
        ("```json {}```", "```json {}```"), ("```json\n{}", "```json\n{}"), ("```JSON \n{}\n```", "{}"), ("```", "```"),
    ],
)  # fmt: skip
def test_a_fence_is_taken_off(reply: str, answer: str) -> None:
    assert answer_text(reply) == answer


def test_the_marks_of_evidence_are_as_they_were() -> None:
    assert plain("One  -  two \u2014three - - four") == "one-two-three--four"
    assert plain("Well ....  so . . . yes \u2026 no") == "well... so... yes... no"


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("- one\n- two", True), ("One.\n\n  1. a\n\n  2) b", True), ("I did 1. this and 2. that", True), ("- one", False),
        ("1. one thing", False), ("I am 21. And 2. no", False), ("a - b\nc - d", False), ("-\nfoo", False),
    ],
)  # fmt: skip
def test_a_list_is_seen(text: str, listed: bool) -> None:
    case = Case((Turn(speaker="patient", text=text),), None, "", 9)  # type: ignore[arg-type]
    assert bool(list(CHECK.find(case))) is listed


def test_a_speaker_who_writes_the_others_lines_is_seen() -> None:
    assert OTHER_SPEAKER.search("Yes.\n\n  **Therapist**: So")
    assert OTHER_SPEAKER.search("patient : So")
    assert not OTHER_SPEAKER.search("My therapist: he is fine")
