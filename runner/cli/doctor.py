"""`cbtrun doctor`: what would stop a study on this machine."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import click

from cbtrun.cli.answers import json_option, print_answer
from cbtrun.cli.shared import on_option, runs_option, spec_argument


@click.command()
@spec_argument
@click.option("sets", "--set", multiple=True, metavar="PATH=VALUE", help="Override a key of the study.")
@runs_option
@click.option(
    "--allow-local-plugins", is_flag=True, help="Load the Python files that the study lists under `plugins:`."
)
@click.option("allow_hosts", "--allow-host", multiple=True, metavar="[NAME=]HOST", help="As for `cbtrun run`.")
@click.option(
    "--online",
    is_flag=True,
    help="Also ask the servers: do they answer, take the keys, have the models, which roles do they take? Costs a few tokens.",
)
@on_option
@json_option
def doctor(
    spec: Path,
    sets: tuple[str, ...],
    runs: Path,
    allow_local_plugins: bool,
    allow_hosts: tuple[str, ...],
    on: str,
    **asked: bool,
) -> int:
    """Say what would stop a study on this machine, one line a check, and what to do. Exit 2 if anything would."""
    from cbtrun.before.doctor.doctor import doctor_checks
    from cbtrun.before.doctor.machines import asked_machines
    from cbtrun.cli.shared import load
    from cbtrun.cluster.where import where_of
    from cbtrun.keys.secrets import key_ring

    study, registry = load(spec, sets, allow_local_plugins)
    checks = []
    where = where_of(on)
    with ExitStack() as stack:
        cluster, refused = asked_machines(where, stack)
        found = doctor_checks(study, registry, key_ring(allow_hosts), runs, online=asked["online"], cluster=cluster)
        for check in (*refused, *found):
            checks.append(check)
            if not asked["as_json"]:
                click.echo(str(check))
    stops = sum(check.state == "stop" for check in checks)
    if asked["as_json"]:
        code = 2 if stops else 0
        print_answer(
            {"command": "doctor", "exit_code": code, "study": study.name, "checks": [asdict(one) for one in checks]}
        )
        return code
    click.echo(f"{stops} would stop this study." if stops else "Nothing would stop this study.")
    return 2 if stops else 0
