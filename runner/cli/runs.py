"""`cbtrun compare` and `cbtrun view`: finished runs side by side, in the terminal or in a browser."""

from __future__ import annotations

from pathlib import Path

import click

run_folder = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.argument("first", metavar="RUN_A", type=run_folder)
@click.argument("second", metavar="RUN_B", type=click.Path(path_type=Path, exists=True))
def compare(first: Path, second: Path) -> int:
    """Say what differs between two finished runs: in the study, in the environment, in the results.

    Personas that are the same in both are tested in pairs, RUN_B minus RUN_A. Reads only.

    With a published results.json for RUN_B: whether RUN_A's is the same byte for byte or within 1e-9, and each value that is
    not; exit code 3 where there is one.
    """
    if second.is_file():
        from cbtrun.results.same_results import same_results

        own = first / "results.json"
        found = same_results(own, second)
        for line in found.lines(own, second):
            click.echo(line)
        return 3 if found.telling else 0
    from cbtrun.registry import load_registry

    click.echo(load_registry().ask("compare_runs", first=first, second=second), nl=False)
    return 0


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=run_folder)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; a free one if not given.")
@click.option("--open", "open_browser", is_flag=True, help="Open the page in the browser.")
def view(runs: tuple[Path, ...], port: int, open_browser: bool) -> None:
    """Show finished runs in a browser on this machine: their reports, arms across runs, differences of their studies.

    Listens on 127.0.0.1 alone, reads the runs' own files and writes nothing. Ctrl-C ends it.
    """
    from contextlib import suppress

    from cbtrun.registry import load_registry

    server = load_registry().ask("view_runs", runs=runs, port=port)
    address = f"http://127.0.0.1:{server.server_port}/"
    click.echo(f"{address} shows {', '.join(map(str, runs))}; Ctrl-C ends it")
    if open_browser:
        import webbrowser

        webbrowser.open(address)
    with suppress(KeyboardInterrupt):
        server.serve_forever()
    server.server_close()
