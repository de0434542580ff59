"""`cbtrun validate`: studies, and the rubrics, personas, attributes, courses and practices that they are made of."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from cbtrun.cli.answers import json_option, print_answer
from cbtrun.cli.file_kinds import NAMES, files_in, kind_of, no_kind, schema_of
from cbtrun.cli.shared import load, plugins_option, set_option
from cbtrun.cli.study_names import study_file

if TYPE_CHECKING:
    from cbtrun.errors import Problem


def _files(context: click.Context, parameter: click.Parameter, given: tuple[Path, ...]) -> list[Path]:
    """Files, studies by their names, and folders as they stand."""
    return [one if one.is_dir() else study_file(context, parameter, one) for one in given]


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path), callback=_files)
@set_option
@plugins_option
@json_option
def validate(files: list[Path], sets: tuple[str, ...], allow_local_plugins: bool, as_json: bool) -> None:
    """Check studies and run nothing: names, options, rubrics, models, paths and cross-references.

    FILE may also be a rubric, personas, persona attributes, a theme, a course, a practice, the name of a study that ships, or a
    folder of them. What a file is, is told by what is in it. No key, server or weight is looked at: cbtrun doctor.
    """
    from cbtrun.errors import SpecError

    problems: list[Problem] = []
    found: list[dict[str, Any]] = []
    for path, named in _each(files):
        try:
            kind = kind_of(path)
            if not kind and not named:
                continue  # somebody's other YAML in a folder
            if not kind:
                raise no_kind(path)
            words, facts = _checked(kind, path, sets, allow_local_plugins)
            found.append({"file": str(path), "kind": kind, **facts})
            if not as_json:
                click.echo(f"{path}: {words}")
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(list(dict.fromkeys(problems)))
    if not found:
        raise SpecError.at(files[0], "holds no study, rubric, personas, attributes, course or practice")
    if as_json:
        only: dict[str, Any] = (
            {key: found[0][key] for key in ("study", "stages") if key in found[0]} if len(found) == 1 else {}
        )
        print_answer({"command": "validate", "exit_code": 0, **only, "files": found, "problems": []})
        return
    click.echo(_not_asked([Path(one["file"]) for one in found if one["kind"] == "study"], len(found)))


def _each(files: list[Path]) -> list[tuple[Path, bool]]:
    """Every file, and whether the user named it himself."""
    found: dict[Path, bool] = {}
    for path in files:
        for one in files_in(path) if path.is_dir() else [path]:
            found.setdefault(one, not path.is_dir())
    return list(found.items())


def _checked(kind: str, path: Path, sets: tuple[str, ...], allow_local_plugins: bool) -> tuple[str, dict[str, Any]]:
    """What was found right: in words, and for `--json`. Raises SpecError."""
    if kind == "study":
        from cbtrun.study.graph import ordered_stages

        study, _ = load(path, sets, allow_local_plugins)
        ids = [stage.id for stage in ordered_stages(study)]
        words = f"no problems found in study '{study.name}' ({len(ids)} stages: {', '.join(ids)})"
        return words, {"study": study.name, "stages": ids}
    if kind == "rubric":
        from cbtrun.ratings.rubric_file import read_rubric

        rubric = read_rubric(path)
        total = f", total {rubric.total.low:g} to {rubric.total.high:g}" if rubric.total and rubric.total.high else ""
        return f"no problems found in rubric '{rubric.name}' ({len(rubric.items)} items{total})", {}
    if kind == "theme":
        _check_by_schema(kind, path)
    else:
        _check_in_a_study(kind, path)
    return f"no problems found in {NAMES[kind]}", {}


def _check_by_schema(kind: str, path: Path) -> None:
    from cbtrun.documents.schema import schema_problems
    from cbtrun.documents.yaml_source import read_yaml
    from cbtrun.errors import SpecError

    document = read_yaml(path)
    if problems := schema_problems(document.value, schema_of(kind), document.place):
        raise SpecError(problems)


def _check_in_a_study(kind: str, path: Path) -> None:
    """Have the plugins that read such a file look at it, in a small study around it that is never run."""
    from cbtrun.documents.yaml_source import Located, parse_yaml
    from cbtrun.errors import Place, SpecError
    from cbtrun.registry import load_registry
    from cbtrun.study.checks import check_study
    from cbtrun.study.overrides import Written

    around = resources.files("cbtrun.cli.scaffold_files").joinpath(f"around/{kind}.yaml").read_text(encoding="utf-8")
    text = f"cbtrun: 1\nstudy: checked\ntitle: checked\nseed: 1\n{around}".replace(
        "FILE", _in_quotes(str(path.absolute()))
    )
    name = str(path)
    written = Written(Located(parse_yaml(text, name, lines=False), name), path, {name: ""})
    try:
        check_study(written, load_registry())
    except SpecError as error:
        own = (name, str(path.absolute()))
        raise SpecError(
            [
                replace(one, place=replace(one.place, file=name), path=one.path if one.place.line else "")
                if one.place.file in own
                else replace(one, place=Place(name), path="")
                for one in error.problems
            ]
        ) from None


def _in_quotes(text: str) -> str:
    """A text as YAML in single quotes."""
    return "'" + text.replace("'", "''") + "'"


def _not_asked(studies: list[Path], checked: int) -> str:
    """The last line: what no check of files can say."""
    counted = f"{checked} files; " if checked > 1 else ""
    if not studies:
        return f"{counted}not asked: whether anything uses it; `cbtrun validate STUDY.yaml` checks a study with all that it names"
    which = quote(str(studies[0])) if len(studies) == 1 else "STUDY.yaml"
    return f"{counted}not asked: keys, servers, weights and what this machine has: cbtrun doctor {which}"
