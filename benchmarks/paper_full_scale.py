"""specs/paper.yaml at the paper's own counts against the mock server, killed twice on the way: does it end whole, in
what time and memory, how large is the journal, and were the calls and tokens those that `cbtrun plan` said?

All counts are the study's: 1,160 transcripts, six arms x 120 personas x 40 turns, 720 ratings. What has no place on
this machine is replaced: every model is behind the mock server (a process of its own, which answers with the embedded
author, patient, careful therapist and lexical rater), and a tune job writes an adapter's record without training.

    python benchmarks/paper_full_scale.py [--spec SPEC] [--keep FOLDER]

A pilot with fewer personas runs first, in the same run folder: a plan takes the tokens of a call from what the journal holds.
The last line is JSON. Tokens of the mock server are words.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from cbtrun.before.plan import plan_study
from cbtrun.before.plan_costs import CallCost, call_costs
from cbtrun.files.run_folder import RunFolder
from cbtrun.plugins.dialogue.therapist_prompt import THERAPIST_SYSTEM
from cbtrun.plugins.mock_server.answers import EmbeddedAnswers
from cbtrun.plugins.mock_server.protocols import Body
from cbtrun.plugins.mock_server.server import MockServer
from cbtrun.registry import load_registry
from cbtrun.study.load import load_study

ROOT = Path(__file__).parent.parent
TUNE = '''
"""A tune job that trains nothing: one adapter's record for each seed."""
from cbtrun.hookspecs import hookimpl
from cbtrun.contract.plans import Plan
from cbtrun.contract.records import Adapter

NAMES = {"base": "models", "corpus": "corpus"}


@hookimpl
def options_schema(stage):
    if stage != "tune":
        return None
    names = {key: {"type": "string", "x-names": kind} for key, kind in NAMES.items()}
    return {"type": "object", "properties": {**names, "seeds": {"type": "array", "default": [1]}}}


@hookimpl
def plan_block(context):
    return Plan(units=len(context.options["seeds"])) if context.stage == "tune" else None


@hookimpl
def tune_model(context):
    base = context.options["base"]
    return [
        Adapter(name=context.name, base=base, folder=f"adapters/{context.name}", digest=context.name, seed=seed)
        for seed in context.options["seeds"]
    ]
'''
PILOT = {"personas.train.count": 3, "personas.eval.first": 6}
"""The pilot that a plan learns from: the same study with fewer personas, in the same run folder."""
KILLS = (0.35, 0.75)
"""Shares of the planned calls after which the run is killed."""


def main() -> None:
    """Plan, run, kill, run on, compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--spec", type=Path, default=ROOT / "specs/paper.yaml")
    parser.add_argument("--serve", type=Path, metavar="FILE", help="be the server, and write its address into a file")
    parser.add_argument("--keep", type=Path, help="folder to work in and to leave")
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.serve))
        return
    with tempfile.TemporaryDirectory() as made, mock_server(Path(made)) as url:
        folder = options.keep or Path(made) / "study"
        folder.mkdir(parents=True, exist_ok=True)
        environment = write_study(options.spec, folder, url)
        print(json.dumps(measured(folder, environment, url)))


async def serve(address_file: Path) -> None:
    """Answer as the embedded models do, each therapist with words of its own.

    Six models that said the same would be asked by patients in the same words, and such calls are one call to cbtrun.
    """
    answers = EmbeddedAnswers.of_folders()

    async def answer(body: Body) -> str:
        text = await answers(body)
        system = str(body["messages"][0]["content"])
        return f"{text} {body['model'].rpartition('/')[2]}." if system == THERAPIST_SYSTEM else text

    async with MockServer(answer=answer, remember=False) as server:
        address_file.write_text(server.root)
        await asyncio.Event().wait()


@contextmanager
def mock_server(folder: Path) -> Iterator[str]:
    """The server as a process of its own; gives its address below which every vendor's path works."""
    address = folder / "address"
    process = subprocess.Popen([sys.executable, __file__, "--serve", str(address)])
    try:
        while not (address.exists() and address.read_text()):
            time.sleep(0.1)
        yield address.read_text()
    finally:
        process.terminate()
        process.wait()


def write_study(spec: Path, folder: Path, url: str) -> dict[str, str]:
    """The study with every model at the server and tune jobs that train nothing. Returns the environment to run in."""
    study = load_study(spec, registry=load_registry())
    data: dict[str, Any] = json.loads(json.dumps(study.data))
    for name, block in data["models"].items():
        kept = {key: block[key] for key in ("temperature", "prices") if key in block}
        data["models"][name] = {"using": "openai", "base_url": "${MOCK_URL}/v1", "model": block["model"], **kept}
    for name, job in data["tune"].items():
        data["tune"][name] = {
            "using": "stand-in-tune",
            "base": job["base"],
            "corpus": job["corpus"],
            "seeds": job["seeds"],
        }
    data["plugins"] = ["./stand_in_tune.py"]
    data["assumptions"] = {}
    (folder / "stand_in_tune.py").write_text(TUNE)
    (folder / "study.yaml").write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
    return {**os.environ, "MOCK_URL": url, "OMP_NUM_THREADS": "1"}


def measured(folder: Path, environment: dict[str, str], url: str) -> dict[str, Any]:
    """Everything that the last line says."""
    study = load_study(folder / "study.yaml", registry=(registry := load_registry([folder / "stand_in_tune.py"])))
    run_folder = RunFolder(folder / "runs" / study.name)
    planned = call_costs(plan_study(study, registry), study, registry, RunFolder(folder / "nothing-yet"))
    total = sum(one.calls for one in planned)
    pilot = run(folder, environment, run_folder, more=[f"--set={key}={count}" for key, count in PILOT.items()])
    after_pilot = planned_tokens(call_costs(plan_study(study, registry), study, registry, run_folder), run_folder)
    runs = [run(folder, environment, run_folder, stop_at=round(share * total)) for share in KILLS]
    runs.append(run(folder, environment, run_folder))
    made = {(stage, model): sums for stage, model, *sums in journal_sums(run_folder)}
    results = json.loads(run_folder.results.read_text())
    tokens = sum(tokens_in + tokens_out for _, tokens_in, tokens_out in made.values())
    return {
        "exit_codes": [one["code"] for one in (pilot, *runs)],
        "pilot_seconds": round(pilot["seconds"], 1),
        "wall_seconds": round(sum(one["seconds"] for one in runs), 1),
        "wall_seconds_of_runs": [round(one["seconds"], 1) for one in runs],
        "peak_mib": max(one["peak_mib"] for one in runs),
        "journal_mib": round(run_folder.journal.stat().st_size / 2**20, 1),
        "run_folder_mib": round(
            sum(one.stat().st_size for one in run_folder.path.rglob("*") if one.is_file()) / 2**20, 1
        ),
        "counts": results["counts"],
        "calls_planned": total,
        "calls_in_journal": sum(calls for calls, _, _ in made.values()),
        "calls_at_server": int(urllib.request.urlopen(f"{url}/calls").read()),
        "not_as_planned": {
            f"{one.stage} {one.model}": [one.calls, made.get((one.stage, one.model), (0,))[0]]
            for one in planned
            if one.calls != made.get((one.stage, one.model), (0,))[0]
        },
        "tokens_in_journal": tokens,
        "tokens_planned_first": sum(one.tokens_in + one.tokens_out for one in planned),
        "tokens_planned_after_pilot": after_pilot,
        "of_tokens_after_pilot": round(after_pilot / tokens, 3),
    }


def planned_tokens(costs: Sequence[CallCost], run_folder: RunFolder) -> int:
    """Tokens of the whole study: those in the journal and those that are planned."""
    kept = sum(one[3] + one[4] for one in journal_sums(run_folder))
    return kept + sum(one.tokens_in + one.tokens_out for one in costs)


def run(
    folder: Path,
    environment: dict[str, str],
    run_folder: RunFolder,
    stop_at: int | None = None,
    more: Sequence[str] = (),
) -> dict[str, Any]:
    """One process, killed when the journal holds `stop_at` calls."""
    command = [sys.executable, "-m", "cbtrun.cli.main", "study.yaml", "--allow-local-plugins", *more]
    started, peak = time.monotonic(), 0
    with (folder / "run.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        while process.poll() is None:
            time.sleep(0.5)
            peak = max(peak, peak_kib(process.pid))
            if stop_at is not None and sum(one[2] for one in journal_sums(run_folder)) >= stop_at:
                process.send_signal(signal.SIGKILL)
                process.wait()
    seconds = time.monotonic() - started
    return {"code": process.returncode, "seconds": seconds, "peak_mib": peak // 1024}


def peak_kib(pid: int) -> int:
    """Most memory that a process has had, in KiB; 0 when it has just ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def journal_sums(run_folder: RunFolder) -> list[tuple[str, str, int, int, int]]:
    """(stage, model, calls, tokens in, tokens out) of what the journal holds."""
    if not run_folder.journal.exists():
        return []
    connection = sqlite3.connect(f"file:{run_folder.journal}?mode=ro", uri=True)
    query = "SELECT stage, model, count(*), sum(tokens_in), sum(tokens_out) FROM calls GROUP BY stage, model"
    try:
        return list(connection.execute(query))
    except sqlite3.OperationalError:  # its tables are not there yet
        return []
    finally:
        connection.close()


if __name__ == "__main__":
    main()
