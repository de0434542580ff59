"""What a call costs: cbtrun with its journal, a bare aiohttp loop, and Inspect AI, on one mock server in one run.

    python benchmarks/calls.py [--inspect PYTHON_WITH_INSPECT_AI] [--many 5000]

200 sessions of 10 therapist calls, 10 patient calls and a rating, at 50 ms latency, with 50 and 200 connections. Wall
time and CPU time are of the whole process, imports and start included. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).parent
STUDY = HERE / "calls_study.yaml"
CALLS = 21
"""Of each session."""


@dataclass(frozen=True)
class Measured:
    """One process."""

    what: str
    connections: int
    sessions: int
    wall_s: float
    cpu_ms_a_call: float
    peak_mib: float
    exit: int


def measure(what: str, connections: int, sessions: int, command: list[str], url: str) -> Measured:
    """Run a command to its end; its own CPU time and peak memory."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env={**os.environ, "MOCK_URL": url}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    cpu = (used.ru_utime + used.ru_stime) / (sessions * CALLS) * 1000
    found = Measured(
        what, connections, sessions, round(wall, 2), round(cpu, 3), round(used.ru_maxrss / 1024, 1), status >> 8
    )
    print(found, file=sys.stderr, flush=True)
    return found


def cbtrun(runs: Path, connections: int, sessions: int, *more: str) -> list[str]:
    """The command of a run."""
    command = [
        sys.executable,
        "-c",
        "from cbtrun.cli.main import main; main()",
        "run",
        str(STUDY),
        "--runs",
        str(runs),
        *more,
    ]
    for model in ("therapist", "patient", "rater"):
        command += ["--set", f"models.{model}.limits.concurrency={connections}"]
    return [*command, "--set", f"personas.eval.count={sessions}"]


def forget_outputs(runs: Path) -> None:
    """Leave the journal's replies alone, so that every stage is done again from them."""
    import sqlite3

    journal = sqlite3.connect(runs / "calls" / "journal.sqlite")
    with journal:
        journal.execute("DELETE FROM stages")
    journal.close()


def measure_all(url: str, folder: Path, inspect: str | None, many: int) -> list[Measured]:
    """Every measurement, in one run."""
    found = []
    for connections in (50, 200):
        bare = [sys.executable, str(HERE / "calls_bare.py"), url, str(connections), "200"]
        found.append(measure("bare aiohttp", connections, 200, bare, url))
        runs = folder / f"runs-{connections}"
        found.append(measure("cbtrun", connections, 200, cbtrun(runs, connections, 200), url))
        forget_outputs(runs)
        found.append(measure("cbtrun replay", connections, 200, cbtrun(runs, connections, 200, "--offline"), url))
        if inspect:
            logs = str(folder / f"logs-{connections}")
            other = [inspect, str(HERE / "calls_inspect.py"), url, str(connections), "200", logs]
            found.append(measure("inspect ai", connections, 200, other, url))
    if many:
        found.append(measure("cbtrun", 200, many, cbtrun(folder / "many", 200, many), url))
    return found


def main() -> None:
    """Start the mock server, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inspect", help="a Python that has inspect-ai")
    parser.add_argument("--many", type=int, default=0, help="also this many sessions, for the memory")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as made:
        url_file = Path(made) / "url"
        server = [sys.executable, "-m", "cbtrun.plugins.mock_server", "--latency=0.05", f"--port-file={url_file}"]
        mock = subprocess.Popen(server)
        try:
            while not url_file.exists():
                time.sleep(0.05)
            found = measure_all(url_file.read_text(), Path(made), options.inspect, options.many)
        finally:
            mock.kill()
            mock.wait()
    own = resource.getrusage(resource.RUSAGE_SELF)
    cpus = {"cores": os.cpu_count(), "load_before": round(load, 1), "own_cpu_s": round(own.ru_utime + own.ru_stime, 2)}
    print(json.dumps({**cpus, "measured": [asdict(one) for one in found]}))


if __name__ == "__main__":
    main()
