"""`cbtrun gate`: a study held to minimums, and to being no worse than another run, with an exit code for CI."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cbtrun.cli.answers import json_option, print_answer
from cbtrun.cli.run_names import RunName, runs_of_option
from cbtrun.cli.shared import RUN_FOLDER, allow_host_option, load, plugins_option, set_option
from cbtrun.cli.study_names import file_of_study

if TYPE_CHECKING:
    from cbtrun.gate.asked import Asked
    from cbtrun.gate.judge import Judged
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study

BOUND = "[ARM:]OUTCOME=POINTS"
OUTPUT = click.Path(path_type=Path, dir_okay=False)


class StudyOrRun(click.ParamType[Path]):
    """A study, which is run, or the folder of a finished run, which is judged as it is."""

    name = "study"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The study's file, or the folder."""
        from cbtrun.run.run_list import is_run

        path = Path(str(value))
        return path if path.is_dir() and is_run(path) else file_of_study(path)


@dataclass(frozen=True)
class _Outputs:
    junit: Path | None
    markdown: Path | None


@click.command()
@click.argument("given", metavar="STUDY", type=StudyOrRun())
@click.option("--min", "minimums", multiple=True, metavar=BOUND, help="The least that an outcome's mean has to be, such as ctrs.total=40; in every arm, or in ARM.")  # fmt: skip
@click.option("--max", "maximums", multiple=True, metavar=BOUND, help="The most that it may be: an outcome that is better the lower it is.")  # fmt: skip
@click.option("--no-worse-than", "against", metavar="RUN", type=RunName(), help="A finished run that it must not be worse than, by more than the margin.")  # fmt: skip
@click.option("--margin", "margins", multiple=True, metavar="OUTCOME=POINTS", help="How much worse an outcome may be. Undeclared: 5 % of its scale, and that is told.")  # fmt: skip
@click.option("--lower-is-better", multiple=True, metavar="OUTCOME", help="An outcome whose lower values are better; those of --max are.")  # fmt: skip
@click.option("--arm", "arms", multiple=True, metavar="NAME[=THERE]", help="Judge this arm alone, and compare it with the arm THERE of RUN; all arms without it.")  # fmt: skip
@click.option("--by", type=click.Choice(["limit", "mean"]), default="limit", show_default=True, help="limit: the 95 % interval's limit has to keep the bound; mean: the mean alone, however few sessions.")  # fmt: skip
@click.option("--missing", type=click.Choice(["worst", "told"]), default="worst", show_default=True, help="A session without a score counts as the worst that it could be, or is left out and told.")  # fmt: skip
@click.option("--despite", multiple=True, metavar="PATH", help="Compare with RUN though this differs; it is told wherever the verdict is.")  # fmt: skip
@click.option("--junit", type=OUTPUT, help="Write the verdicts as JUnit's XML, a test case each.")
@click.option(
    "--markdown", type=OUTPUT, help="Add the verdicts as Markdown to this file, such as $GITHUB_STEP_SUMMARY."
)
@set_option
@runs_of_option
@plugins_option
@allow_host_option
@click.option("--consent-remote", is_flag=True, help="Allow transcripts of real people to be sent to remote models.")
@click.option("--offline", is_flag=True, help="Answer every model call from the journal; make no new one.")
@click.option("--quiet", "-q", is_flag=True, help="No progress of the run.")
@json_option
def gate(given: Path, runs: Path, junit: Path | None, markdown: Path | None, as_json: bool, **options: Any) -> int:
    """Run STUDY as `run` does, going on where it stopped, and hold it to what was asked; a run's folder is judged as it is.

    Every criterion has to pass. Judged is, unless --by mean says otherwise, the limit of a 95 % interval on the side that counts,
    so that a model at the bound passes once in 40 times; few sessions make it harder to pass, never easier. With
    --no-worse-than patients are paired; a run with another rater, rubric, prompt, or other patients is refused.

    \b
    Exit codes: 0 all passed; 5 a criterion failed; 3 none failed and one could
    not be judged; 2 asked wrongly, or RUN cannot be compared; 4 the run was
    stopped by a limit; 1 a bug of ours. docs/gate.md has all of it.
    """
    from cbtrun.errors import CbtrunError
    from cbtrun.gate.judge import as_json as values
    from cbtrun.gate.outputs import junit as junit_of
    from cbtrun.gate.outputs import lines
    from cbtrun.gate.outputs import markdown as markdown_of

    begun, outputs = time.monotonic(), _Outputs(junit, markdown)
    try:
        judged = _judged(given, runs, options)
    except CbtrunError as error:
        _write_error(outputs, given.stem, str(error), time.monotonic() - begun)
        raise
    _write(outputs, junit_of(judged, time.monotonic() - begun), markdown_of(judged))
    if as_json:
        print_answer(values(judged))
    else:
        for line in lines(judged):
            click.echo(line)
    return judged.code


def _judged(given: Path, runs: Path, options: dict[str, Any]) -> Judged:
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.gate.judge import criteria_for, judge, other_run, refuse_incomparable
    from cbtrun.gate.judged_run import JudgedRun

    asked = _asked(options)
    if given.is_dir():
        study, registry, folder = _of_folder(given, options)
        return judge(asked, criteria_for(asked, study), JudgedRun(folder, study), other_run(asked, folder, registry))
    from cbtrun.run.progress import progress_for

    watching = progress_for(quiet=options["quiet"])
    study, registry = load(
        given, options["sets"], options["allow_local_plugins"], watching=watching, opens_models=not options["offline"]
    )
    criteria, folder = criteria_for(asked, study), RunFolder(runs / study.name)
    other = other_run(asked, folder, registry)
    if other is not None:
        refuse_incomparable(asked, study, registry, criteria, other)  # before anything is paid
    _run(study, registry, runs, options, watching)
    return judge(asked, criteria, JudgedRun(folder, study), other)


def _run(study: Study, registry: Registry, runs: Path, options: dict[str, Any], watching: Any) -> None:
    from cbtrun.cli.run_end import say_outcome
    from cbtrun.keys.secrets import key_ring
    from cbtrun.run.options import RunOptions
    from cbtrun.start import start

    run_options = RunOptions(
        offline=options["offline"],
        consent_remote=options["consent_remote"],
        keys=key_ring(options["allow_hosts"]),
        announce=(lambda _: None) if options["quiet"] else partial(click.echo, err=True),
    )
    tell_folder = partial(click.get_current_context().meta.__setitem__, RUN_FOLDER)
    try:
        outcome, _ = start(study, registry, runs, run_options, found=tell_folder)
    finally:
        watching.close()
    say_outcome(outcome, study, quiet=True)  # what failed, to standard error


def _of_folder(path: Path, options: dict[str, Any]) -> tuple[Study, Registry, Any]:
    from cbtrun.errors import SpecError
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.registry import load_registry
    from cbtrun.run.study_lock import local_plugins_of, study_of_run

    if options["sets"]:
        raise SpecError.at("--set", f"{path} is a run, which is judged as it is; name the study's file to run it")
    folder = RunFolder(path)
    registry = load_registry(local_plugins_of(folder) if options["allow_local_plugins"] else [])
    return study_of_run(folder, registry), registry, folder


def _asked(options: dict[str, Any]) -> Asked:
    from cbtrun.gate.asked import Asked, bound

    arms = {name: there for name, _, there in (one.partition("=") for one in options["arms"])}
    return Asked(
        minimums=tuple(bound("--min", one) for one in options["minimums"]),
        maximums=tuple(bound("--max", one) for one in options["maximums"]),
        run=options["against"],
        margins=tuple(bound("--margin", one) for one in options["margins"]),
        lower_is_better=frozenset(options["lower_is_better"]),
        arms=arms,
        by=options["by"],
        missing=options["missing"],
        despite=frozenset(options["despite"]),
    )


def _write(outputs: _Outputs, junit: bytes, markdown: str) -> None:
    if outputs.junit is not None:
        outputs.junit.write_bytes(junit)
    if outputs.markdown is not None:
        with outputs.markdown.open("a", encoding="utf-8") as file:  # a CI's summary may hold other steps' words
            file.write(f"{markdown}\n")


def _write_error(outputs: _Outputs, study: str, why: str, seconds: float) -> None:
    from cbtrun.gate.outputs import junit_of_error, markdown_of_error

    _write(outputs, junit_of_error(study, why, seconds), markdown_of_error(study, why))
