"""Cards of rubrics and personas that ship, or lie in a file: no run is needed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from cbtrun.cards.persona_card import attributes_card, persona_set_card
from cbtrun.cards.rubric_card import rubric_card
from cbtrun.contract.records import Persona
from cbtrun.documents.schema_words import did_you_mean
from cbtrun.documents.yaml_source import read_yaml
from cbtrun.errors import SpecError, StageError
from cbtrun.files.record_list import RecordList
from cbtrun.ratings.rubric_file import read_rubric

YAML, LINES = (".yaml", ".yml"), ".jsonl"


def rubric_named(name: str) -> str:
    """The card of a rubric that ships, or of a file. Raises StageError for neither, SpecError for a file that is none."""
    return rubric_card(read_rubric(_file(name, rubric_files(), "rubric")))


def personas_named(name: str) -> str:
    """The card of attributes or a set of personas that ships, or of a file. Raises as `rubric_named`."""
    path = _file(name, persona_files(), "persona attributes or set")
    if path.suffix == LINES:
        ships = path in persona_files().values()
        people = "" if ships else "nobody has said whether real people are in this file"
        return persona_set_card(path.stem, RecordList.read(path, Persona), {"File": path.name}, people)
    content = read_yaml(str(path)).value
    if not isinstance(content, dict) or "attributes" not in content:
        raise SpecError.at(path, "no attributes of personas: they begin with `attributes: NAME`")
    return attributes_card(path.stem, content)


def shipped_cards() -> dict[str, str]:
    """File name -> card, of all that ships."""
    found = {f"rubric-{name}.md": rubric_card(read_rubric(path)) for name, path in rubric_files().items()}
    return found | {f"personas-{name}.md": personas_named(name) for name in persona_files()}


def rubric_files() -> dict[str, Path]:
    """Name -> file of each rubric that ships."""
    return {path.stem: path for path in _those("cbtrun.rubrics", "", YAML)}


def persona_files() -> dict[str, Path]:
    """Name -> file of the attributes and sets that ship."""
    return {path.stem: path for path in _those("cbtrun.specs", "personas", (*YAML, LINES))}


def _those(package: str, folder: str, endings: tuple[str, ...]) -> Iterator[Path]:
    home = Path(str(files(package))) / folder
    yield from sorted(path for path in home.iterdir() if path.is_file() and path.suffix in endings)


def _file(name: str, known: dict[str, Path], what: str) -> Path:
    if name in known:
        return known[name]
    if Path(name).is_file():
        return Path(name)
    raise StageError(
        f"no {what} '{name[:80]}' ships{did_you_mean(name, known)}, and there is no such file; there is: {', '.join(known)}"
    )
