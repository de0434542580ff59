"""`cbtrun compare` and `cbtrun view`: finished runs side by side, in the terminal or in a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from cbtrun.cli.answers import json_option, print_answer
from cbtrun.cli.run_names import RunName, known_runs, runs_of_option


class RunOrResults(RunName):
    """A run, or a results.json that somebody published."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The run folder, or the file."""
        path = Path(str(value))
        return path if path.suffix == ".json" and path.is_file() else super().convert(value, param, ctx)


@click.command()
@click.argument("given", metavar="[RUN_A RUN_B]", nargs=-1, type=RunOrResults())
@runs_of_option
@json_option
@click.pass_context
def compare(ctx: click.Context, given: tuple[Path, ...], runs: Path, as_json: bool) -> int:
    """Say what differs between two finished runs: in the results, in the study, in the environment.

    Personas that are the same in both are tested in pairs, RUN_B minus RUN_A. Reads only. A run is its folder, the name
    of a study or its file; where there are just two runs they need not be named.

    With a published results.json for RUN_B: whether RUN_A's is the same byte for byte or within 1e-9, and each value that is
    not; exit code 3 where there is one.
    """
    from cbtrun.registry import load_registry
    from cbtrun.run.run_list import run_paths

    there = list(given) or run_paths(runs)[::-1]  # the earlier one first
    if len(there) != 2:
        told = f"two runs are compared, got {len(given)}" if given else f"which two runs? {known_runs(runs)}"
        raise click.UsageError(told, ctx)
    first, second = there
    if second.is_file():
        return _with_published(first, second, as_json=as_json)
    if first.is_file():
        raise click.UsageError(f"a run comes first, and then what was published: cbtrun compare RUN {first}", ctx)
    told = load_registry().ask("compare_runs", first=first, second=second, form="json" if as_json else "text")
    if as_json:
        print_answer({"command": "compare", "exit_code": 0, **json.loads(told)})
    else:
        click.echo(told, nl=False)
    return 0


def _with_published(run: Path, published: Path, *, as_json: bool) -> int:
    """Print whether a run's results are those published. Returns the exit code."""
    from cbtrun.results.same_results import same_results

    own = run / "results.json"
    found = same_results(own, published)
    code, lines = 3 if found.telling else 0, list(found.lines(own, published))
    if as_json:
        print_answer({"command": "compare", "exit_code": code, "lines": lines})
    for line in lines if not as_json else ():
        click.echo(line)
    return code


@click.command()
@click.argument("given", metavar="[RUN]...", nargs=-1, type=RunName())
@runs_of_option
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; a free one if not given.")
@click.option("--open", "open_browser", is_flag=True, help="Open the page in the browser.")
@click.pass_context
def view(ctx: click.Context, given: tuple[Path, ...], runs: Path, port: int, open_browser: bool) -> None:
    """Show finished runs in a browser on this machine: their reports, arms across runs, differences of their studies.

    A run is its folder, the name of a study or its file; without any, all finished runs are shown. Listens on 127.0.0.1 alone, reads the runs' own files and writes nothing. Ctrl-C ends it.
    """
    from contextlib import suppress

    from cbtrun.registry import load_registry

    shown = given or finished_runs(ctx, runs)
    server = load_registry().ask("view_runs", runs=shown, port=port)
    address = f"http://127.0.0.1:{server.server_port}/"
    click.echo(f"{address} shows {', '.join(map(str, shown))}; Ctrl-C ends it")
    if open_browser:
        import webbrowser

        webbrowser.open(address)
    with suppress(KeyboardInterrupt):
        server.serve_forever()
    server.server_close()


def finished_runs(ctx: click.Context, runs: Path) -> tuple[Path, ...]:
    """All runs that have results. Fails where there is none."""
    from cbtrun.run.run_list import run_paths

    found = tuple(path for path in run_paths(runs) if (path / "results.json").is_file())
    if not found:
        raise click.UsageError(f"no finished run to show: {known_runs(runs)}", ctx)
    return found
