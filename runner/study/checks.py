"""Everything that can be wrong with a study, found before the first second of work."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbtrun.contexts import BlockContext
from cbtrun.contract import marks
from cbtrun.contract.marks import may_hold_variables, names_of
from cbtrun.contract.stage_kinds import PLUGGED, block_path, is_named
from cbtrun.contract.study_view import StudyView
from cbtrun.documents.schema import Part, schema_problems, walk, with_defaults
from cbtrun.documents.schema_words import did_you_mean, known_words
from cbtrun.documents.yaml_source import Steps
from cbtrun.errors import CbtrunError, Place, Problem, SpecError
from cbtrun.keys.addresses import written_fault
from cbtrun.study.contains import brought_words, settled
from cbtrun.study.label_checks import label_faults
from cbtrun.study.overrides import SET, Written, find_path
from cbtrun.study.people_checks import people_problems
from cbtrun.study.references import Names, Reference, factor_levels, find_references, is_path, located
from cbtrun.study.sizes import size_problems
from cbtrun.study.spec import Study
from cbtrun.study.study_schema import base_schema, block_schema
from cbtrun.study.weights import named_weights

if TYPE_CHECKING:
    from cbtrun.contract.records import Json
    from cbtrun.registry import Registry

VARIABLE = re.compile(r"\$\{([^}]*)(\}?)")


def check_study(written: Written, registry: Registry, *, opens_models: bool = True) -> Study:
    """The resolved study. Raises SpecError with all its problems, in file order.

    opens_models: whether weights will be opened; else it is no fault that they are not there.
    """
    checks = _Checks(written, registry)
    study = checks.study()
    if not checks.problems:
        for path, what in size_problems(study):
            checks.problems.append(Problem(study.place(*path), "/".join(path), what))
        study = replace(study, sources={**written.sources, **checks.rubric_sources})
        checks.problems += people_problems(study)
    checks.problems += _plugin_problems(study, registry, checks, opens_models=opens_models)
    if checks.problems:
        raise SpecError(in_file_order(map(checks.with_file_beside, checks.problems), written.order))
    return study


def study_as_kept(written: Written, registry: Registry) -> Study:
    """The resolved study of a run folder. Raises SpecError where a value is of another type or kind than a study's.

    Keys that this version does not know, plugins that are not loaded and files that are gone are no reason to refuse it.
    """
    checks = _Checks(written, registry)
    study = checks.study()
    if found := [one for one in checks.shape if not one.what.startswith(("unknown key", "no plugin"))]:
        raise SpecError(found)
    return study


def in_file_order(problems: Iterable[Problem], files: Iterable[str]) -> list[Problem]:
    """Problems by file, line and column, each once: the study, what it extends, other files, the command line."""
    found = list(dict.fromkeys(problems))
    rank = {file: index for index, file in enumerate(dict.fromkeys([*files, *(one.place.file for one in found)]))}

    def position(problem: Problem) -> tuple[bool, int, int, int]:
        place = problem.place
        return place.file.startswith(SET), rank[place.file], place.line or 0, place.column or 0

    return sorted(found, key=position)


@dataclass
class _Checks:
    """The checks of one study, each adding to `problems` and to what the next one needs."""

    written: Written
    registry: Registry
    problems: list[Problem] = field(default_factory=list)
    shape: tuple[Problem, ...] = ()
    """Of keys, types and values alone."""
    data: dict[str, Any] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    rubric_files: dict[str, Path] = field(default_factory=dict)
    rubric_sources: dict[str, str] = field(default_factory=dict)

    def study(self) -> Study:
        """Run all checks but the plugins' own."""
        self._shape()
        self.shape = tuple(self.problems)
        self._contains()
        self._move_paths()
        self._variables()
        self._addresses()
        references = self._references()
        self._order_of_stages()
        self._levels()
        self._labels()
        self._assumptions()
        written = self.written
        return Study(
            *(self.data, written.path, written.document, written.sources, tuple(references), dict(self.rubric_files)),
            named_weights=named_weights(written, self.data, self.registry),
        )

    @property
    def folder(self) -> Path:
        """Folder of the study's file, as the user gave it."""
        return self.written.path.parent

    def with_file_beside(self, problem: Problem) -> Problem:
        """A problem with a name that nothing ships under, with the file of that name that lies beside the study."""
        part = next((one for one in self.parts if "/".join(map(str, one.path)) == problem.path), None)
        if part is None or not {"rubrics", "shipped"} & {*names_of(part.schema)} or not isinstance(part.value, str):
            return problem
        beside = [
            end
            for end in (".yaml", ".yml")
            if not is_path(part.value) and (self.folder / f"{part.value}{end}").is_file()
        ]
        if not beside or not problem.what.startswith(("unknown", "no ")):
            return problem
        file = f"./{part.value}{beside[0]}"
        return replace(
            problem, what=f"{problem.what}; there is {file}: a file of your own is named by its path, {file}"
        )

    def _add(self, what: str, *path: str | int, key: bool = False) -> None:
        self.problems.append(Problem(self.written.document.place(*path, key=key), "/".join(map(str, path)), what))

    def _shape(self) -> None:
        """Keys, types and values; defaults go into `data`."""
        base, document = base_schema(), self.written.document
        value = document.value
        self.problems += schema_problems(value, base, document.place)
        self.data = with_defaults(value, base)
        self.parts += walk(self.data, base)
        for stage, name, block in blocks(self.data):
            path = block_path(stage, name)
            schema = self._block_schema(stage, path, block)
            if schema is None:
                continue
            self.problems += schema_problems(block, schema, partial(document.place, *path), path)
            filled = with_defaults(block, schema)
            if name:
                self.data[stage][name] = filled
            else:
                self.data[stage] = filled
            self.parts += (replace(part, path=(*path, *part.path)) for part in walk(filled, schema))

    def _block_schema(self, stage: str, path: Steps, block: Mapping[str, Any]) -> Json | None:
        using = block.get("using")
        if not isinstance(using, str) or not using:
            return None  # reported by the base schema
        if self.registry.offers(stage, using):
            return block_schema(stage, self.registry.schema(stage, using))
        names, hook = self.registry.names(stage), PLUGGED[stage].hook
        what = f"no plugin '{using}' does {hook}{did_you_mean(using, names)}; known: {known_words(names)}"
        self._add(what, *path, "using")
        return None

    def _contains(self) -> None:
        """Settle whether real people speak in what the study reads, by who says so of what.

        A file's `none` does not cover data that another file or the command line names: then nobody has said it.
        """
        if not self.written.contains:
            return
        named_in = [self.written.document.place(*one.at).file for one in brought_words(self.parts)]
        holds = settled(self.written.contains, named_in, SET)
        if holds is None:
            self.data.pop("contains", None)
        else:
            self.data["contains"] = holds

    def _move_paths(self) -> None:
        """Make each relative path that was written elsewhere start from the study's folder."""
        home = located(Path.cwd(), str(self.folder))
        for index, part in enumerate(self.parts):
            if not _may_be_path(part) or Path(part.value).expanduser().is_absolute():
                continue
            origin = self.written.folder_of(self.written.document.place(*part.path))
            if located(Path.cwd(), str(origin)) != home:
                moved = os.path.relpath(origin / part.value, self.folder)
                if is_path(part.value) and not is_path(moved):
                    moved = f"./{moved}"
                _put(self.data, part.path, moved)
                self.parts[index] = replace(part, value=moved)

    def _variables(self) -> None:
        """`${NAME}` stands in addresses only."""
        allowed = {part.path for part in self.parts if may_hold_variables(part.schema)}
        for path, text in _texts(self.data, ()):
            for name, end in VARIABLE.findall(text):
                if path not in allowed:
                    shown = f"${{{name}{end}"
                    self._add(f"'{shown}': environment variables may stand in addresses only", *path)
                elif not end or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                    self._add(f"expected ${{NAME}} of an environment variable, got '${{{name}{end}'", *path)

    def _addresses(self) -> None:
        """What can be told of an address without the environment: no scheme, a call's own path at its end."""
        for part in self.parts:
            if may_hold_variables(part.schema) and isinstance(part.value, str) and (fault := written_fault(part.value)):
                self._add(f"the address {fault}", *part.path)

    def _references(self) -> list[Reference]:
        self._read_rubrics()
        names = Names(self.data, self._named_rubrics, factor_levels(self.data), self._scores, self._rubric_of_sets())
        named = {part.path: part for part in self.parts if names_of(part.schema)}
        variables = {path for path, text in _texts(self.data, ()) if "${" in text}
        found = []
        for one in find_references([part for path, part in named.items() if path not in variables], names, self.folder):
            if isinstance(one, Reference):
                found.append(one)
            else:
                self._add(one.what, *one.at, key=False)
        return found

    def _read_rubrics(self) -> None:
        """Read each rubric that the study names, once."""
        self._named_rubrics = {
            file.stem: file
            for folder in reversed(self.registry.rubric_folders())
            for file in sorted(folder.glob("*.yaml"))
        }
        self._scores: dict[str, list[str]] = {}
        for name in dict.fromkeys(part.value for part in self.parts if _names_rubric(part)):
            file = located(self.folder, name) if is_path(name) else self._named_rubrics.get(name)
            if file is None or not file.is_file():
                continue  # reported where it is named
            self.rubric_files[name] = file.absolute()
            self._read_rubric(name, file)

    def _read_rubric(self, name: str, file: Path) -> None:
        from cbtrun.contract.digests import file_digest
        from cbtrun.ratings.rubric_file import read_rubric

        try:
            rubric = read_rubric(file)
        except SpecError as error:
            self.problems += error.problems
            return
        self.rubric_sources[str(file)] = file_digest(file)
        total = ["total"] if rubric.total is not None else []
        self._scores[name] = [*total, *(item.id for item in rubric.items), *rubric.subscales]

    def _rubric_of_sets(self) -> dict[str, str]:
        return {
            str(part.path[1]): part.value
            for part in self.parts
            if part.path[:1] == ("ratings",) and _names_rubric(part)
        }

    def _order_of_stages(self) -> None:
        if self.data.get("ratings") and "sessions" not in self.data:
            self._add("there is nothing to rate: the study has no 'sessions'", "ratings", key=True)
        if self.data.get("analysis") and not self.data.get("ratings"):
            self._add("there is nothing to analyse: the study has no 'ratings'", "analysis", key=True)

    def _levels(self) -> None:
        """An analysis of a factor needs two levels of it."""
        known = factor_levels(self.data)
        for stage, name, block in blocks(self.data):
            factor = block.get("factor")
            if stage != "analysis" or not isinstance(factor, str) or known.get(factor) is None:
                continue
            levels = block.get("levels", sorted(known[factor] or ()))
            distinct = sorted({str(level) for level in levels}) if isinstance(levels, list) else []
            if isinstance(levels, list) and len(distinct) < 2:
                at = "levels" if "levels" in block else "factor"
                only = f"only '{distinct[0]}'" if distinct else "none"
                self._add(f"a comparison needs two levels of factor '{factor}'; there is {only}", stage, name, at)

    def _labels(self) -> None:
        """Labels belong to what there is, and no two of a kind are the same."""
        for path, what in label_faults(self.data, factor_levels(self.data), self._scores_of_sets()):
            self._add(what, *path, key=True)

    def _scores_of_sets(self) -> dict[str, list[str]]:
        """Rating set -> the outcomes of its rubric, where that could be read."""
        return {name: self._scores[file] for name, file in self._rubric_of_sets().items() if file in self._scores}

    def _assumptions(self) -> None:
        for block in ("assumptions", "instead_of"):
            told = self.data.get(block)
            for path in told if isinstance(told, dict) else ():
                try:
                    find_path(self.data, path)
                except KeyError as error:
                    self._add(f"the study has no such path: {error.args[0]}", block, path, key=True)


def blocks(data: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Stage, name (empty for `sessions` and `report`) and value of each block that a plugin does."""
    for stage in PLUGGED:
        value = data.get(stage)
        if not isinstance(value, dict):
            continue
        named = list(value.items()) if is_named(stage) else [("", value)]
        yield from ((stage, name, block) for name, block in named if isinstance(block, dict))


def _plugin_problems(study: Study, registry: Registry, checks: _Checks, *, opens_models: bool) -> list[Problem]:
    """What plugins find wrong with their blocks; blocks with problems already are not shown to them."""
    found: list[Problem] = []
    broken = [problem.path for problem in checks.problems]
    for stage, name, block in blocks(study.data):
        path = "/".join(block_path(stage, name))
        using = str(block.get("using"))
        if not registry.offers(stage, using) or any(f"{one}/".startswith(f"{path}/") for one in broken):
            continue
        if not opens_models and (stage == "tune" or marks.loads_weights(registry.schema(stage, using))):
            continue  # what they look at is the folder of the weights
        try:
            found += registry.check(using, block_context(study, stage, name))
        except SpecError as error:
            found += error.problems
        except CbtrunError as error:
            found.append(Problem(study.place(*block_path(stage, name)), path, str(error)))
        except Exception:
            if not broken:  # else the plugin looked at a part of the study that is broken, which is reported
                raise
    return found


def block_context(study: Study, stage: str, name: str) -> BlockContext:
    """A block, for the plugin that does it."""
    place: partial[Place] = partial(study.place, *block_path(stage, name))
    options = study.options(stage, name)
    seen = StudyView(copy.deepcopy(dict(study.data)))
    return BlockContext(stage, name, options, seen, study.folder, place, study.place)


def _names_rubric(part: Part) -> bool:
    return isinstance(part.value, str) and "rubrics" in names_of(part.schema)


def _may_be_path(part: Part) -> bool:
    if not isinstance(part.value, str) or not part.value or "${" in part.value:
        return False
    kinds = names_of(part.schema)
    if {"rubrics", "shipped"} & {*kinds}:
        return is_path(part.value)
    return bool({"file", "folder"} & {*kinds})


def _put(data: Any, path: Steps, value: Any) -> None:
    for step in path[:-1]:
        data = data[step]
    data[path[-1]] = value


def _texts(value: Any, path: Steps) -> Iterator[tuple[Steps, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(child, (*path, key))
