"""What a block of a study names: models, persona sets, files, rubrics, outcomes, factors and their levels.

A plugin's schema marks such a value with `x-names`, a kind or a list of kinds to try in turn:

    models personas corpus tune arms ratings     a block of that name; a tune job also as NAME@SEED
    analysis                                     a block of that name
    judges judged                                a rating set (judged: SET.total or SET.ITEM) by whose raters and rubric the stage
                                                 rates by itself: it reads none of the set's ratings, and does not wait for them
    score                                        a score of the rating set that `rating` names beside it
    rubrics                                      a rubric that is shipped or that a plugin brings, or a path to one
    file folder files                            must be there; relative to the file that wrote it; `files`: a pattern
    shipped                                      a word that the plugin itself knows; beside `file`: has no / or .yaml
    people                                       people.NAME, a source of people's ratings
    outcome                                      SET.total, SET.ITEM or SET.SUBSCALE of a rating set
    factors level                                a factor; a level of the factor that stands beside it
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cbtrun.contract.marks import NAMES, names_of
from cbtrun.contract.stage_kinds import PLUGGED
from cbtrun.documents.schema import Part
from cbtrun.documents.schema_words import did_you_mean, got, known_words
from cbtrun.documents.yaml_source import Steps
from cbtrun.errors import PluginError
from cbtrun.tables.file_set import has_files

BLOCK_WORDS = {**{block: kind.word for block, kind in PLUGGED.items() if kind.word}, "arms": "arm"}
"""Block whose names others may use -> what messages call one of them."""
KINDS = {
    *BLOCK_WORDS,
    "people",
    "rubrics",
    "file",
    "folder",
    "files",
    "shipped",
    "outcome",
    "judges",
    "judged",
    "score",
    "factors",
    "level",
    "levels",
}
PATH_SUFFIXES = (".yaml", ".yml", ".json", ".jsonl")
"""Endings of files. A name that ends so is a path: no rubric, and nothing that a plugin ships, is called like that."""


@dataclass(frozen=True)
class Reference:
    """One thing that a block names."""

    kind: str
    """`models`, `personas`, `corpus`, `tune`, `arms`, `ratings`, `judges`, `people`, `rubrics`, `file`, `folder`, `factors` or `level`."""
    name: str
    """Its name in the study; for a file, folder or rubric as the resolved study has it."""
    at: Steps
    """Path of the value in the study."""
    path: Path | None = None
    """The file or folder itself, absolute; none for anything else, rubrics too: those go by name."""
    detail: str = ""
    """Seed of a tune job, or what an outcome takes from its rating set."""


@dataclass(frozen=True)
class Wrong:
    """Why a name names nothing."""

    at: Steps
    what: str


@dataclass(frozen=True)
class Names:
    """Everything in a study that can be named."""

    data: Mapping[str, Any]
    rubrics: Mapping[str, Path]
    """Rubrics that are shipped or that plugins bring, by name."""
    levels: Mapping[str, frozenset[str] | None]
    """Factor -> its levels; None where only the imported file tells."""
    scores: Mapping[str, Sequence[str]]
    """Rubric, as the study names it -> what it scores: `total`, items, subscales. Without it nothing is checked."""
    rubric_of: Mapping[str, str]
    """Rating set -> the rubric that it names, where it names one."""


def find_references(parts: Sequence[Part], names: Names, folder: Path) -> Iterator[Reference | Wrong]:
    """Each name in the parts of a study, found or not.

    parts: as `walk` gives them, paths from the top of the study. folder: what file paths start from.
    Raises PluginError for a kind that there is not.
    """
    for part in parts:
        kinds = names_of(part.schema)
        if not kinds or not isinstance(part.value, str):
            continue
        if odd := [kind for kind in kinds if kind not in KINDS]:
            raise PluginError(
                f"a plugin's schema has `{NAMES}: {odd[0]}` at {_shown(part.path)}; known: {sorted(KINDS)}"
            )
        yield from _look_up(kinds, part, names, folder)


def factor_levels(data: Mapping[str, Any]) -> dict[str, frozenset[str] | None]:
    """Factor -> levels, from the arms; None for a factor that imported sessions bring."""
    levels: dict[str, frozenset[str] | None] = {}
    for arm in _mappings(data.get("arms")).values():
        for factor, level in _mappings(_mappings(arm).get("factors")).items():
            known = levels.get(factor, frozenset())
            # A level that is no text is reported by the schema; the others cannot be judged beside it.
            levels[factor] = known | {level} if known is not None and isinstance(level, str) else None
    levels.update(dict.fromkeys(_mappings(_mappings(data.get("sessions")).get("factors")), None))
    several = _mappings(data.get("sessions")).get("sessions")
    if isinstance(several, int) and several > 1:
        levels["session_number"] = frozenset(map(str, range(1, several + 1)))
    if _mappings(data.get("sessions")).get("controls"):
        levels["control"] = None
    return levels


def is_path(name: str) -> bool:
    """Whether the name of a rubric, or of what a plugin ships, is a path."""
    return "/" in name or name.endswith(PATH_SUFFIXES)


def located(folder: Path, written: str) -> Path:
    """A path as written, from the folder that it starts from; `..` goes up in the words of the path."""
    return Path(os.path.normpath(folder / Path(written).expanduser()))


def _look_up(kinds: Sequence[str], part: Part, names: Names, folder: Path) -> Iterator[Reference | Wrong]:
    name, found = part.value, []
    for kind in kinds:
        if kind in BLOCK_WORDS or kind == "judges":
            found += _named_block(kind, part, names)
        elif kind == "rubrics" and not is_path(name) and name in names.rubrics:
            found.append(Reference(kind, name, part.path))
        elif kind == "shipped" and not is_path(name):
            return
        elif kind in ("outcome", "people", "judged", "score"):
            if found:  # a whole set, and not an outcome of one
                break
            yield from _of_a_set(kind, part, names)
            return
        elif kind in ("level", "levels"):
            yield from _level(part, names)
            return
        elif kind == "factors" and name in names.levels:
            found.append(Reference(kind, name, part.path))
        elif kind in ("file", "folder", "files") or (kind == "rubrics" and is_path(name)):
            found += _on_disk(kind, part, folder)
    if len(found) > 1:
        both = " and of a ".join(BLOCK_WORDS.get(one.kind, one.kind) for one in found)
        yield Wrong(part.path, f"'{name}' is the name of a {both}; give one of them another name")
        return
    if found:
        yield found[0]
    else:
        yield Wrong(part.path, _unknown(kinds, name, names, folder))


def _named_block(kind: str, part: Part, names: Names) -> list[Reference]:
    blocks = _mappings(names.data.get("ratings" if kind == "judges" else kind))
    if part.value in blocks:
        return [Reference(kind, part.value, part.path)]
    job, at, seed = part.value.rpartition("@")
    if kind == "tune" and at and job in blocks:
        seeds = _mappings(blocks[job]).get("seeds")
        if not isinstance(seeds, list) or seed in map(str, seeds):  # what is no list is reported by its schema
            return [Reference(kind, job, part.path, detail=seed)]
    return []


def _of_a_set(kind: str, part: Part, names: Names) -> Iterator[Reference | Wrong]:
    """An outcome of a rating set, read or judged by; or a source of people's ratings."""
    if kind == "score":
        yield from _score_beside(part, names)
        return
    for one in (_people if kind == "people" else _outcome)(part, names):
        yield replace(one, kind="judges") if kind == "judged" and isinstance(one, Reference) else one


def _score_beside(part: Part, names: Names) -> Iterator[Wrong]:
    """What is wrong with a score of the rating set that `rating` names beside it or above it."""
    around: list[Any] = [names.data]
    for step in part.path[:-1]:
        around.append(around[-1][step])
    beside = next((value for value in reversed(around) if isinstance(value, dict) and "rating" in value), {})
    rubric = names.rubric_of.get(str(beside.get("rating")), "")
    known = names.scores.get(rubric)
    if known is not None and part.value not in known:
        near = did_you_mean(part.value, known)
        yield Wrong(part.path, f"rubric '{rubric}' has no score '{part.value}'{near}; known: {known_words(known)}")


def _on_disk(kind: str, part: Part, folder: Path) -> list[Reference]:
    path = located(folder, part.value)
    if kind == "files":
        there = bool(part.value) and has_files(path)
    else:
        there = bool(part.value) and (path.is_dir() if kind == "folder" else path.is_file())
    if not there:
        return []
    return [Reference(kind, part.value, part.path, None if kind == "rubrics" else path.absolute())]


def _outcome(part: Part, names: Names) -> Iterator[Reference | Wrong]:
    sets = _mappings(names.data.get("ratings"))
    fitting = [name for name in sets if part.value.startswith(f"{name}.")]
    if not fitting:
        rating_set, dot, _ = part.value.partition(".")
        if not dot:
            yield Wrong(part.path, f"expected SET.total or SET.ITEM, got {got(part.value)}; sets: {known_words(sets)}")
        else:
            near = did_you_mean(rating_set, sets)
            yield Wrong(part.path, f"unknown rating set '{rating_set}'{near}; known: {known_words(sets)}")
        return
    rating_set = max(fitting, key=len)
    score = part.value[len(rating_set) + 1 :]
    rubric = names.rubric_of.get(rating_set, "")
    known = names.scores.get(rubric)
    if known is not None and score not in known:
        what = f"rubric '{rubric}' has no score '{score}'{did_you_mean(score, known)}; known: {known_words(known)}"
        yield Wrong(part.path, what)
        return
    yield Reference("ratings", rating_set, part.path, detail=score)


def _people(part: Part, names: Names) -> Iterator[Reference | Wrong]:
    sources = _mappings(names.data.get("people"))
    word, dot, name = part.value.partition(".")
    if word != "people" or not dot:
        yield Wrong(part.path, f"expected people.NAME, got {got(part.value)}; the study has: {known_words(sources)}")
    elif name not in sources:
        near = did_you_mean(name, sources)
        yield Wrong(part.path, f"no '{name}' under `people`{near}; the study has: {known_words(sources)}")
    else:
        yield Reference("people", name, part.path)


def _level(part: Part, names: Names) -> Iterator[Reference | Wrong]:
    factor = _factor_beside(part.path[:-1] if part.is_key else part.path, names)
    if factor not in names.levels:
        return  # the factor itself is reported where it stands
    known = names.levels[factor]
    if known is None or part.value in known:
        yield Reference("level", part.value, part.path, detail=factor)
        return
    near = did_you_mean(part.value, sorted(known))
    yield Wrong(
        part.path, f"unknown level '{part.value}' of factor '{factor}'{near}; known: {known_words(sorted(known))}"
    )


def _factor_beside(path: Steps, names: Names) -> str:
    """The factor whose level stands at a path of the study, by what is nearest: `factor` beside it, or a key above it."""
    around: list[Any] = [names.data]
    for step in path[:-1]:
        around.append(around[-1][step])
    for value, step in zip(reversed(around), reversed(path), strict=True):
        if step == "where":  # its keys are factors of their own; an unknown one is reported where it stands
            return ""
        if isinstance(value, dict) and isinstance(value.get("factor"), str):
            return str(value["factor"])
        if step in names.levels:
            return str(step)
    return ""


def _unknown(kinds: Sequence[str], name: str, names: Names, folder: Path) -> str:
    """Why none of the kinds fits a name, and what would."""
    words = [
        BLOCK_WORDS["ratings"] if kind == "judges" else BLOCK_WORDS.get(kind, kind.removesuffix("s"))
        for kind in kinds
        if kind not in ("file", "folder", "files", "shipped")
    ]
    on_disk = [kind for kind in kinds if kind in ("file", "folder")]
    if (on_disk and not words) or ("rubrics" in kinds and is_path(name)):
        return _not_on_disk(on_disk[0] if on_disk else "file", name, folder)
    known = [one for kind in kinds for one in _known(kind, names)]
    also = f", and no such {on_disk[0]}" if on_disk else ""
    return f"unknown {' or '.join(words)} '{name}'{also}{did_you_mean(name, known)}; known: {known_words(known)}"


def _known(kind: str, names: Names) -> list[str]:
    if kind == "rubrics":
        return sorted(names.rubrics)
    if kind == "judges":
        return list(_mappings(names.data.get("ratings")))
    return list(names.levels) if kind == "factors" else list(_mappings(names.data.get(kind)))


def _not_on_disk(kind: str, name: str, folder: Path) -> str:
    path = located(folder, name)
    if not name:
        return f"expected a {kind}, got nothing"
    if path.exists():
        return f"'{path}' is a {'folder' if path.is_dir() else 'file'}; expected a {kind}"
    try:
        beside = sorted(one.name for one in path.parent.iterdir())[:1000]
    except OSError:
        return f"no such {kind}: '{path}' (its folder is not there either)"
    return f"no such {kind}: '{path}'{did_you_mean(path.name, beside)}"


def _mappings(value: Any) -> dict[str, Any]:
    """A value if it is a mapping, else an empty one: a broken block is reported by its schema."""
    return value if isinstance(value, dict) else {}


def _shown(path: Steps) -> str:
    return "/".join(map(str, path))
