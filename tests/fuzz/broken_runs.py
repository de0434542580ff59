"""Run folders from strangers, or from a bad disk: one file of a sound one is broken, and every command is tried on it."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import yaml

from tests.fuzz.mutations import broken_bytes, broken_document, document_text, yaml_text
from tests.fuzz.project import RUN, copied

READING = ("status", "report", "compare", "sheet", "agree", "export", "view", "run", "forget")
SELDOM = {"report": 0.25, "run": 0.35, "view": 0.5}
"""Share of the cases in which a command is tried that takes long."""


def break_run(folder: Path, chance: Random) -> list[tuple[str, ...]]:
    """Copy the sound run, break a file of it, and give commands that read it."""
    copied(folder)
    run = folder / RUN
    broken = chance.choice(_weighted(run))
    broken.write_bytes(_broken(broken, chance))
    wanted = [one for one in READING if chance.random() < SELDOM.get(one, 0.5)] or ["status"]
    return [_command(one, folder) for one in wanted]


def _weighted(run: Path) -> list[Path]:
    """Files that are read again; the lock, which everybody reads, three times."""
    named = [*["study.lock.yaml"] * 3, "results.json", "results.json", "sessions.jsonl", "sessions.jsonl"]
    named += ["sheet-key.csv", "report.files", "running.pid", "report.html", "ratings.csv"]
    below = [*sorted(run.glob("ratings/*")), *sorted(run.glob("scores/*")), *sorted(run.glob("analysis/*"))]
    made = [
        run / "running.json",
        run / "failures.jsonl",
        run / "registration.json",
        run / "promise.json",
        run / "forgotten.jsonl",
    ]
    return [run.parents[1] / name if name == "ratings.csv" else run / name for name in named] + below + below + made


def _broken(path: Path, chance: Random) -> bytes:
    content = path.read_bytes() if path.exists() else b'{"session": "a"}\n'
    if chance.random() < 0.3 or path.suffix not in (".yaml", ".json", ".jsonl"):
        return broken_bytes(content, chance)
    if path.suffix == ".yaml":
        return yaml_text(broken_document(yaml.safe_load(content), chance)).encode("utf-8", "surrogatepass")
    if path.suffix == ".json":
        return document_text(broken_document(json.loads(content), chance)).encode("utf-8", "surrogatepass")
    lines: list[Any] = [json.loads(line) for line in content.splitlines()]
    at = chance.randrange(len(lines))
    lines[at] = broken_document(lines[at], chance)
    return "".join(f"{document_text(line)}\n" for line in lines).encode("utf-8", "surrogatepass")


def _command(name: str, folder: Path) -> tuple[str, ...]:
    told: dict[str, tuple[str, ...]] = {
        "compare": ("compare", RUN, RUN),
        "agree": ("agree", RUN, "ratings.csv"),
        "export": ("export", RUN, "nothing"),
        "run": ("study.yaml",),
        "forget": ("forget", RUN, "a"),
    }
    return told.get(name, (name, RUN))


def asked_in_the_browser(folder: Path) -> Callable[[], int]:
    """`cbtrun view` of a run, its pages fetched."""
    return partial(_view, folder / RUN)


def _view(run: Path) -> int:
    import click

    from cbtrun.errors import CbtrunError
    from cbtrun.registry import load_registry

    try:
        server = load_registry().ask("view_runs", runs=(run, run), port=0)
    except CbtrunError as error:
        click.echo(str(error))
        return error.exit_code
    server.handle_error = _loudly
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        for page in ("", "compare?first=1&second=2", "1/report.html", "1/results.json", "1/study.lock.yaml"):
            with _opened(f"http://127.0.0.1:{server.server_port}/{page}") as answer:
                answer.read()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    return 0


def _opened(address: str) -> Any:
    try:
        return urllib.request.urlopen(address, timeout=20)
    except urllib.error.HTTPError as refused:
        return refused


def _loudly(request: Any, client: Any) -> None:
    """What the server would print of a page that failed."""
    import traceback

    import click

    click.echo(traceback.format_exc())
