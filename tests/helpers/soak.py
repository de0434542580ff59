"""A soak: sessions against a server with faults, the run killed again and again, and what came of it.

`python tests/soak.py --sessions 5000 --kills 20` prints one JSON line; tests/test_soak.py asks the same of fewer.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.helpers.places import ROOT

TURNS = 20
CONCURRENCY = 200
STUDY = ROOT / "benchmarks" / "calls_study.yaml"


@dataclass
class Soaked:
    """What came of a soak."""

    sessions: int
    kills: int
    """Kills that met a run at work."""
    exit_code: int
    seconds: float
    calls_at_server: int
    answered: int
    """Whole answers that the server gave."""
    faults: int
    kept: int
    """Replies in the journal."""
    complete_sessions: int
    distinct_sessions: int
    lost_at_kills: int
    """Answers that a kill met between server and journal."""
    repeated: int
    """Calls that were made although the journal held their reply: must be none."""
    peak_mib: list[float] = field(default_factory=list)
    """Peak memory of each process."""
    rss_mib: list[float] = field(default_factory=list)
    """Memory of the last process over its time."""


def soak(
    folder: Path, sessions: int, kills: int, *, fault_rate: float = 0.05, latency: float = 0.005, seed: int = 1
) -> Soaked:
    """Run the sessions; kill the run at `kills` random numbers of calls; run it to its end."""
    url_file = folder / "url"
    options = [f"--latency={latency}", f"--fault-rate={fault_rate}", f"--seed={seed}", "--serials"]
    server = [sys.executable, "-m", "cbtrun.plugins.mock_server", *options, f"--port-file={url_file}"]
    mock = subprocess.Popen(server)
    began = time.monotonic()
    try:
        while not url_file.exists():
            time.sleep(0.05)
        url = url_file.read_text()
        targets = sorted(random.Random(seed).sample(range(CONCURRENCY, sessions * TURNS), kills))
        killed, peaks = 0, []
        for target in targets:
            met, peak, _ = _run(folder, url, sessions, until_calls=target)
            killed += met
            peaks.append(peak)
        _, peak, rss = _run(folder, url, sessions, until_calls=None)
        stats = json.loads(_get(url, "stats"))
        return _outcome(folder, sessions, killed, stats, time.monotonic() - began, [*peaks, peak], rss)
    finally:
        mock.kill()
        mock.wait()


def _run(folder: Path, url: str, sessions: int, until_calls: int | None) -> tuple[bool, float, list[float]]:
    """Start the command; kill it once the server has had so many calls. (killed, peak MiB, MiB over time)."""
    command = [
        sys.executable,
        "-c",
        "from cbtrun.cli.main import main; main()",
        str(STUDY),
        "--runs",
        str(folder / "runs"),
    ]
    command += ["--set", f"personas.eval.count={sessions}", "--set", "ratings=null"]
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(command, env={**os.environ, "MOCK_URL": url}, stdout=log, stderr=log)
        memory: list[tuple[float, float]] = []
        while process.poll() is None:
            memory.append(_memory(process.pid) or (memory[-1] if memory else (0.0, 0.0)))
            if until_calls is not None and int(_get(url, "calls")) >= until_calls:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.02 if until_calls is not None else 0.5)
        process.wait()
    (folder / "code").write_text(str(process.returncode))
    peak = max((high for _, high in memory), default=0.0)
    return process.returncode == -signal.SIGKILL, round(peak, 1), [round(now, 1) for now, _ in memory]


def _outcome(
    folder: Path,
    sessions: int,
    killed: int,
    stats: dict[str, Any],
    seconds: float,
    peaks: list[float],
    rss: list[float],
) -> Soaked:
    journal = sqlite3.connect(folder / "runs/calls/journal.sqlite")
    texts = [text for (text,) in journal.execute("SELECT text FROM calls")]
    journal.close()
    kept = {int(text.rpartition("#")[2]) for text in texts}
    lines = [json.loads(line) for line in (folder / "runs/calls/sessions.jsonl").read_bytes().splitlines()]
    answered = stats["answered"].values()
    total = sum(map(len, answered))
    step = max(1, len(rss) // 12)
    return Soaked(
        sessions=sessions,
        kills=killed,
        exit_code=int((folder / "code").read_text()),
        seconds=round(seconds, 1),
        calls_at_server=stats["calls"],
        answered=total,
        faults=sum(stats["met"].values()),
        kept=len(texts),
        complete_sessions=sum(len(one["turns"]) == TURNS for one in lines),
        distinct_sessions=len({one["id"] for one in lines}),
        lost_at_kills=total - len(kept),
        repeated=sum(any(serial in kept for serial in serials[:-1]) for serials in answered),
        peak_mib=peaks,
        rss_mib=rss[::step],
    )


def _memory(pid: int) -> tuple[float, float] | None:
    """(now, peak) MiB of a process, or none when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    found = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return (int(found["VmRSS"]) / 1024, int(found["VmHWM"]) / 1024) if len(found) == 2 else None


def _get(url: str, what: str) -> str:
    with urllib.request.urlopen(f"{url.removesuffix('/v1')}/{what}", timeout=60) as answer:
        return str(answer.read().decode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=20)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        print(json.dumps(asdict(soak(Path(made), chosen.sessions, chosen.kills))))
