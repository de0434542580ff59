"""ELAN (.eaf): tiers are speakers, annotations are what they say, in order of time. Neighbours of one tier are one turn.

An annotation that hangs on another one (a translation, a code) has that one's times, and comes as a row of its own tier.
Source: "ELAN Annotation Format", schema EAFv3.0. The XML may declare no document type, so that it has no entities.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from cbtrun.errors import SpecError
from cbtrun.tables.readers.talk_segments import Segment, turns_of
from cbtrun.tables.row import Row, Writing
from cbtrun.tables.source import Source, bytes_of

MOST_LEVELS = 50
MOST_ANNOTATIONS = 1_000_000
MILLISECONDS = 1000.0


@dataclass
class Annotation:
    """One annotation as the file has it."""

    tier: str
    number: int
    start: str = ""
    """Its time slots, by id; empty where it hangs on another annotation."""
    end: str = ""
    on: str = ""
    """Id of the annotation that it hangs on."""
    said: list[str] = field(default_factory=list)


@dataclass
class Document:
    """What is read of a document."""

    slots: dict[str, float] = field(default_factory=dict)
    """Time slot -> seconds; one without a time has that of the slot before it."""
    tiers: list[str] = field(default_factory=list)
    annotations: dict[str, Annotation] = field(default_factory=dict)
    """By id, in the file's order."""
    path: list[str] = field(default_factory=list)
    """Names of the elements that are open."""
    last: Annotation | None = None


def rows(source: Source, _: Writing) -> Iterator[Row]:
    """A row for each turn. Raises SpecError for XML that is none, declares a document type, or is no ELAN document."""
    document = _document(source)
    if not document.annotations:
        raise SpecError.at(str(source), "has no annotation")
    tiers = {name: at for at, name in enumerate(document.tiers)}
    found = [_segment(one, document) for one in document.annotations.values()]
    return turns_of(sorted(found, key=lambda one: (one.start, tiers[one.speaker])))


def _segment(one: Annotation, document: Document) -> Segment:
    timed = one
    for _ in range(MOST_LEVELS):  # a circle of annotations that hang on each other has no time
        if timed.start or timed.on not in document.annotations:
            break
        timed = document.annotations[timed.on]
    start = document.slots.get(timed.start, 0.0)
    return Segment(one.tier, "".join(one.said), start, document.slots.get(timed.end, start), one.number)


def _document(source: Source) -> Document:
    document, parser = Document(), expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise SpecError.at(str(source), "declares a document type, which is not read")

    def start(name: str, attributes: Mapping[str, str]) -> None:
        if len(document.path) == MOST_LEVELS or len(document.annotations) > MOST_ANNOTATIONS:
            what = f"is nested deeper than {MOST_LEVELS} levels, or has more than {MOST_ANNOTATIONS:,} annotations"
            raise SpecError.at(str(source), what, line=parser.CurrentLineNumber)
        if not document.path and name != "ANNOTATION_DOCUMENT":
            raise SpecError.at(str(source), f"is no ELAN document: it begins with <{name[:40]}>")
        document.path.append(name)
        _begin(document, name, attributes, parser.CurrentLineNumber)

    def text(said: str) -> None:
        if document.last and document.path[-1:] == ["ANNOTATION_VALUE"]:
            document.last.said.append(said)

    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    parser.StartElementHandler, parser.CharacterDataHandler = start, text
    parser.EndElementHandler = lambda _: document.path.pop()
    try:
        parser.Parse(bytes_of(source), True)
    except expat.ExpatError as error:
        what = f"not XML: {expat.ErrorString(error.code)}"
        raise SpecError.at(str(source), what, line=error.lineno, column=error.offset + 1) from None
    return document


def _begin(document: Document, name: str, attributes: Mapping[str, str], line: int) -> None:
    """Takes in what an element says. line: where it stands, as the row's place."""
    if name == "TIME_SLOT":
        before = next(reversed(document.slots.values()), 0.0)
        time = attributes.get("TIME_VALUE", "")
        known = float(time) / MILLISECONDS if time.isdecimal() and len(time) < 16 else before
        document.slots[attributes.get("TIME_SLOT_ID", "")] = known
    elif name == "TIER":
        document.tiers.append(attributes.get("TIER_ID", ""))
    elif name in ("ALIGNABLE_ANNOTATION", "REF_ANNOTATION") and document.tiers:
        document.last = Annotation(
            document.tiers[-1],
            line,
            attributes.get("TIME_SLOT_REF1", ""),
            attributes.get("TIME_SLOT_REF2", ""),
            attributes.get("ANNOTATION_REF", ""),
        )
        document.annotations[attributes.get("ANNOTATION_ID", f"line {line}")] = document.last
