"""The command line. Each command imports what it needs when it runs, so that `--help` stays instant."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cbtrun.cli.answers import json_option, print_answer, print_error
from cbtrun.cli.card import card
from cbtrun.cli.command_groups import GroupedCommands
from cbtrun.cli.doctor import doctor
from cbtrun.cli.export import export
from cbtrun.cli.forget import forget
from cbtrun.cli.gate import gate
from cbtrun.cli.humans import agree, sheet
from cbtrun.cli.import_files import import_
from cbtrun.cli.journal import journal
from cbtrun.cli.migrate import migrate
from cbtrun.cli.new import new
from cbtrun.cli.packages import package, verify
from cbtrun.cli.power import power
from cbtrun.cli.preregister import preregister
from cbtrun.cli.rate import rate
from cbtrun.cli.report import report
from cbtrun.cli.runs import compare, view
from cbtrun.cli.shared import (
    RUN_FOLDER,
    allow_host_option,
    load,
    on_option,
    plugins_option,
    rehearse_option,
    runs_option,
    set_option,
    spec_argument,
)
from cbtrun.cli.slurm import slurm
from cbtrun.cli.status import status
from cbtrun.cli.study_names import is_a_study, no_such_command
from cbtrun.cli.validate import validate
from cbtrun.version import __version__

if TYPE_CHECKING:
    from cbtrun.cluster.cluster import Cluster
    from cbtrun.errors import CbtrunError
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study


NOT_HERE = "cbtrun runs on Linux and macOS, and not on Windows itself: use WSL 2 (wsl --install, then as on Linux) or a container"


class StudyGroup(GroupedCommands):
    """A group in which `cbtrun SPEC` means `cbtrun run SPEC`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `run` in front of a study; `help COMMAND` is `COMMAND --help`; a word that is neither is told with what is near it."""
        own = {option for parameter in self.params for option in parameter.opts} | {"--help", "-h"}
        if args and args[0] == "help":
            args = [*args[1:], "--help"]
        if args and args[0] not in self.commands and args[0] not in own:
            if not args[0].startswith("-") and not is_a_study(args[0]):
                raise click.UsageError(no_such_command(args[0], self.commands), ctx)
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """A command, whose fault (a plugin's, or ours) is told in few words: the user is to see whose, not a page of calls."""
        from cbtrun.errors import CbtrunError

        if sys.platform == "win32":  # no locks of POSIX: a traceback of an import would be all that is seen
            raise CbtrunError(NOT_HERE)
        try:
            return super().invoke(ctx)
        except (CbtrunError, click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except OSError as error:
            from cbtrun.cli.crashes import crash_of, is_of_a_plugin
            from cbtrun.cli.disk_errors import is_for_the_user

            if is_for_the_user(error) and not is_of_a_plugin(error):
                raise
            raise crash_of(error, ctx.meta.get(RUN_FOLDER)) from error
        except Exception as error:
            from cbtrun.cli.crashes import crash_of

            raise crash_of(error, ctx.meta.get(RUN_FOLDER)) from error


@click.group(cls=StudyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="cbtrun")
def cli() -> None:
    """Run a whole study of language-model therapists from one YAML file.

    \b
    cbtrun new study mine --like api  a study to start from; no --like: a list
    cbtrun validate mine.yaml         check it and run nothing
    cbtrun mine.yaml                  check it, run it, write its report
    cbtrun quickstart                 a study that ships: no key, download or GPU

    The same command again goes on where it stopped: nothing that was paid for is done twice.

    \b
    Exit codes: 0 done; 1 a bug of ours; 2 an error of yours; 3 finished with
    failed units, or with nothing scored somewhere; 4 stopped by a limit, by
    SIGTERM, or a server that is down; 5 a gate failed; 130 interrupted.
    """


@cli.command()
@spec_argument
@set_option
@runs_option
@plugins_option
@click.option("--consent-remote", is_flag=True, help="Allow transcripts of real people to be sent to remote models.")
@click.option(
    "--offline", is_flag=True, help="Answer every model call from the journal; make no new one, and open no weights."
)
@click.option("--take-over", is_flag=True, help="Go on in a run folder that another spec file made, or that is a copy.")
@click.option(
    "--redo",
    multiple=True,
    metavar="STAGE",
    help="Do a stage again by today's code (`tune.NAME`, `ratings.NAME`, `sessions` ...), though that may cost calls or a training.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1),
    default=256,
    show_default=True,
    help="Sessions or ratings under way at once.",
)
@allow_host_option
@rehearse_option
@on_option
@click.option("--quiet", "-q", is_flag=True, help="No progress and no word at the end but what went wrong.")
@json_option
def run(
    spec: Path,
    sets: tuple[str, ...],
    runs: Path,
    allow_local_plugins: bool,
    allow_hosts: tuple[str, ...],
    rehearse: bool,
    **options: Any,
) -> int:
    """Run a study: everything in SPEC that is not done yet. This is the default command."""
    from cbtrun.cli.run_end import outcome_values, say_outcome
    from cbtrun.cluster.where import where_of
    from cbtrun.keys.secrets import key_ring
    from cbtrun.run.options import RunOptions
    from cbtrun.run.progress import progress_for
    from cbtrun.start import start

    where = where_of(options.pop("on"))
    quiet, as_json = options.pop("quiet"), options.pop("as_json")
    watching = progress_for(quiet=quiet)
    offline = bool(options["offline"])
    study, registry = load(spec, sets, allow_local_plugins, watching=watching, opens_models=not offline)
    redo = frozenset(options.pop("redo"))
    announce = _silence if quiet else partial(click.echo, err=True)
    tell_folder = partial(click.get_current_context().meta.__setitem__, RUN_FOLDER)
    with ExitStack() as stack:
        stack.callback(watching.close)
        if not where.is_local and not offline:
            from cbtrun.cluster.connection import cluster_of

            options["cluster"] = stack.enter_context(cluster_of(where))
        run_options = RunOptions(keys=key_ring(allow_hosts), redo=redo, announce=announce, **options)
        outcome, study = start(study, registry, runs, run_options, rehearse=rehearse, found=tell_folder)
    code = say_outcome(outcome, study, quiet=quiet or as_json)
    if as_json:
        print_answer(outcome_values(outcome, study))
    return code


def _silence(line: str) -> None:
    """Tell nobody."""


@cli.command()
@spec_argument
@set_option
@runs_option
@plugins_option
@on_option
@json_option
def plan(spec: Path, sets: tuple[str, ...], runs: Path, allow_local_plugins: bool, on: str, as_json: bool) -> None:
    """Say what a run would do, and what is already done. Runs nothing and needs no network (but that to the cluster of --on)."""
    from cbtrun.cluster.connection import looked_at
    from cbtrun.cluster.where import where_of
    from cbtrun.files.run_folder import RunFolder

    where = where_of(on)
    study, registry = load(spec, sets, allow_local_plugins)
    folder = RunFolder(runs / study.name)
    with ExitStack() as stack:
        cluster = None if where.is_local else stack.enter_context(looked_at(where))
        _plan(study, registry, folder, cluster, as_json=as_json)


def _plan(study: Study, registry: Registry, folder: RunFolder, cluster: Cluster | None, *, as_json: bool) -> None:
    from cbtrun.before.plan import plan_lines, plan_values
    from cbtrun.before.plan_machines import machines_lines
    from cbtrun.before.ready import ready
    from cbtrun.run.options import RunOptions

    there = [*machines_lines(study, registry, cluster)] if cluster is not None else []
    if as_json:
        values = plan_values(study, registry, folder)
        print_answer({"command": "plan", "exit_code": 0, **values, **({"machines": there} if there else {})})
        return
    for line in plan_lines(study, registry, folder):
        click.echo(line)
    for line in there:
        click.echo(f"  {line}")
    for problem in ready(study, registry, folder, RunOptions(), ("machine",)):
        click.echo(f"  warning: {problem.path}: {problem.what}; a run here would stop before it starts")


cli.add_command(card)
cli.add_command(doctor)
cli.add_command(export)
cli.add_command(forget)
cli.add_command(gate)
cli.add_command(import_)
cli.add_command(journal)
cli.add_command(migrate)
cli.add_command(new)
cli.add_command(validate)
cli.add_command(sheet)
cli.add_command(rate)
cli.add_command(slurm)
cli.add_command(agree)
cli.add_command(package)
cli.add_command(verify)
cli.add_command(power)
cli.add_command(preregister)
cli.add_command(report)
cli.add_command(status)
cli.add_command(compare)
cli.add_command(view)


@cli.command()
@click.argument("name", required=False)
def plugins(name: str | None) -> None:
    """List the installed plugins and the stages they do, or the options of the one called NAME."""
    from cbtrun.cli.plugin_listing import plugin_lines

    for line in plugin_lines(name):
        click.echo(line)


@cli.command()
@click.option(
    "--write",
    is_flag=True,
    help="Write the schemas into the package's own folder, and docs/reference/ (for developers of cbtrun).",
)
def schema(write: bool) -> None:
    """Print the JSON Schema of a study, with the options of every installed plugin."""
    import json
    from importlib.resources import as_file, files

    from cbtrun.cli.reference import write_reference
    from cbtrun.registry import load_registry
    from cbtrun.study.study_schema import study_schema, write_schemas

    if write:
        with as_file(files("cbtrun.schemas")) as folder:
            docs = folder.parent / "docs"  # there in a checkout alone
            pages = write_reference(docs, load_registry(), cli) if docs.is_dir() else []
            for path in (*write_schemas(folder, load_registry()), *pages):
                click.echo(f"wrote {path}")
    else:
        click.echo(json.dumps(study_schema(load_registry()), indent=2, ensure_ascii=False))


def main(arguments: list[str] | None = None) -> None:
    """The console script: runs a command and ends the process with its exit code."""
    import gc

    from cbtrun.cli.signals import ended_like_ctrl_c
    from cbtrun.keys.terminal import guarded_output

    gc.set_threshold(50_000, 20, 20)  # modules and records live on: looking for rubbish among them took a sixth
    with guarded_output(), ended_like_ctrl_c():
        code = _with_what_was_not_said(exit_code_of(arguments))
    gc.freeze()  # or the interpreter looks for rubbish among all that once more while it ends: 0.4 s after a run
    sys.exit(code)


def _with_what_was_not_said(code: int) -> int:
    """The exit code, 4 where all went well but what was to be printed could not be: the file that takes it is not whole."""
    from cbtrun.keys.terminal import unwritten

    if code or not (why := unwritten()):
        return code
    click.echo(f"what was to be printed could not all be written ({why}); what the command did is done", err=True)
    return 4


def exit_code_of(arguments: list[str] | None) -> int:
    """Run a command and tell its error; gives its exit code. Raises what is a bug of ours."""
    from cbtrun.endings import ending_code
    from cbtrun.errors import CbtrunError

    told: BaseException
    try:
        return _as_code(cli.main(arguments, standalone_mode=False))
    except click.ClickException as error:
        error.show()
        code, told = error.exit_code, error
    except (click.Abort, KeyboardInterrupt) as error:
        click.echo("\nInterrupted; what is done is kept. The same command goes on from here.", err=True)
        code, told = ending_code(), error
    except CbtrunError as error:
        begin = "\n" if error.exit_code == 130 and sys.stderr.isatty() else ""  # after the terminal's ^C
        click.echo(f"{begin}{_words_of(error)}", err=True)
        if error.__cause__ is not None and error.exit_code != 1:
            from cbtrun.cli.crashes import cause_line

            if line := cause_line(error):
                click.echo(line, err=True)
        code, told = error.exit_code, error
    except OSError as error:
        from cbtrun.cli.disk_errors import tell_disk_error

        code, told = tell_disk_error(error), error
    print_error(arguments, told, _as_code(code))
    return _as_code(code)


def _as_code(code: object) -> int:
    return code if isinstance(code, int) else 0


def _words_of(error: CbtrunError) -> str:
    """The message of an error, with the lines of the file where there are some to show."""
    from cbtrun.cli.excerpts import told
    from cbtrun.errors import SpecError

    return told(error) if isinstance(error, SpecError) else str(error)


if __name__ == "__main__":
    main()
