"""What a Ray cluster costs the driver, and how many replies a second one driver hands out.

    python benchmarks/cluster.py nodes      # actors on 1, 2 and 4 nodes of this machine, beside the same model here
    python benchmarks/cluster.py simulate   # fake engines of measured speed: 8 to 64 replicas, 10,000 sessions
    python benchmarks/cluster.py            # both; the last line is JSON

`nodes`: real processes of a real Ray, which answer at once; what is left is the way there and back. `simulate`: the driver's own
code (sessions, journal, admission, replicas, JSON there and back) with replicas that answer after as long as an engine of the
measured speed would take, in this process and without Ray's messages; `limit` is the same with replicas that answer at once, and
`local` the same driver on a single engine that answers at once, as without a cluster. One core does all of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cbtrun.hookspecs import hookimpl

sys.path.insert(0, str(Path(__file__).parents[1]))

TURNS = 20
WORDS = "What went through your mind just then, and how strong was that feeling from zero to a hundred?"
REPLY_SECONDS = 1.7
"""Of a reply of an 8B engine with 256 sessions under way: 256 replies at once over 150 a second (docs/gpu.md)."""
AT_ONCE = 256
"""Replies that an engine has under way at once."""


def main() -> None:
    """Measure; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section", nargs="?", choices=["nodes", "simulate", "all"], default="all")
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=4, help="of each simulated session")
    parser.add_argument("--replicas", type=int, nargs="*", default=[8, 16, 32, 64])
    asked = parser.parse_args()
    found: dict[str, Any] = {"benchmark": "cluster", "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
    if asked.section in ("nodes", "all"):
        found["nodes"] = {str(count): on_nodes(count, asked.calls) for count in (1, 2, 4)}
        print(json.dumps({"nodes": found["nodes"]}), flush=True)
    if asked.section in ("simulate", "all"):
        found["simulated"] = simulated(asked)
    print(json.dumps(found))


def on_nodes(count: int, calls: int) -> dict[str, float]:
    """Replies a second through actors on so many nodes, and milliseconds of this process's CPU for each."""
    from tests.helpers.ray_nodes import ray_nodes

    with ray_nodes(count) as nodes:
        command = [sys.executable, __file__, "--driver", str(calls)]
        said = subprocess.run(
            command, env=os.environ | {"RAY_ADDRESS": nodes.address}, capture_output=True, text=True, check=True
        )
    told: dict[str, float] = json.loads(said.stdout.strip().splitlines()[-1])
    return told


def driver(calls: int) -> None:
    """Ask the engines of a cluster, in a process of its own."""
    from cbtrun.cluster.connection import cluster_of
    from cbtrun.cluster.where import Where

    with cluster_of(Where(on="ray")) as cluster:
        assert cluster is not None
        print(json.dumps(asyncio.run(_asked(cluster, calls))))


async def _asked(cluster: Any, calls: int) -> dict[str, float]:
    from cbtrun.contract.workplace import OpenedBy

    engines = cluster.engines(
        OpenedBy("cbtrun.cluster.hosted_model:open_hosted", _arguments(), "bench", "bench", cpus=0.5)
    )
    request = _request()
    await engines.make(request)
    while len(engines.there) < cluster.replicas_of(engines._opened_by):
        await asyncio.sleep(0.1)
    began, cpu = time.perf_counter(), time.process_time()
    gate = asyncio.Semaphore(64 * len(engines.there))

    async def one(place: int) -> None:
        async with gate:
            await engines.make(request, str(place))

    await asyncio.gather(*(one(place) for place in range(calls)))
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    found = {
        "engines": float(len(engines.there)),
        "replies_per_second": round(calls / wall, 1),
        "driver_cpu_ms": round(1000 * cpu / calls, 3),
    }
    await engines.close()
    return found


def _arguments() -> dict[str, Any]:
    from cbtrun.contract.digests import digest
    from cbtrun.plugins.controls.script import ScriptedTherapist

    identity = digest(ScriptedTherapist("careful").identity)
    return {
        "using": "careful-control",
        "name": "bench",
        "options": {},
        "rubrics": [],
        "adapter": None,
        "identity": identity,
    }


def _request() -> dict[str, Any]:
    from dataclasses import asdict

    from cbtrun.contract.models import ChatMessage, Draw, Request

    talk = [ChatMessage("system", "You are a therapist. " * 40)]
    talk += [ChatMessage(("user", "assistant")[turn % 2], WORDS) for turn in range(9)]  # type: ignore[arg-type]
    return asdict(Request(tuple(talk), Draw("therapist", "s")))


# The simulation ---------------------------------------------------------------------------------------------------


class FakeReplica:
    """Answers like an engine of the measured speed: so many replies at once, each after its time. Its messages are real JSON."""

    def __init__(self, seconds: float) -> None:
        from cbtrun.contract.models import ContextRoom

        self.room, self.facts, self.gone, self.made, self.counted = ContextRoom(10**9), {}, "", 0, False
        self._seconds, self._gate, self._under_way = seconds, asyncio.Semaphore(AT_ONCE), 0

    @property
    def load(self) -> int:
        """Calls that it has not answered yet."""
        return self._under_way

    async def open(self, opened_by: Any) -> None:
        """At once."""

    async def make(self, asked: dict[str, Any], tell: object = None) -> dict[str, Any]:
        """A line, there and back through JSON as the real one's messages are."""
        self._under_way += 1
        try:
            json.loads(json.dumps([(1, asked)]).encode())
            if self._seconds:
                async with self._gate:
                    await asyncio.sleep(self._seconds)
            else:
                await asyncio.sleep(0)
            self.made += 1
            reply = {"text": f"{WORDS} {self.made}", "tokens_in": 400, "tokens_out": 20}
            answer: dict[str, Any] = json.loads(json.dumps([(1, "made", reply)]).encode())[0][2]
            return answer
        finally:
            self._under_way -= 1

    async def close(self) -> None:
        """Nothing is held."""

    def give_up(self, why: str) -> None:
        """It is lost."""
        self.gone = why


class FakeCluster:
    """So many fake replicas, shared by all that is asked."""

    def __init__(self, replicas: int, seconds: float) -> None:
        self.where = SimpleNamespace(new_engines_an_hour=0, trusted=True, on="fake", told={})
        self.replicas, self.seconds, self.losses = replicas, seconds, {}

    def engines(self, opened_by: Any) -> Any:
        """The pool as it is."""
        from cbtrun.cluster.replicas import Replicas

        return Replicas(self, opened_by)  # type: ignore[arg-type]

    def start(self, opened_by: Any) -> Any:
        """A replica."""
        return FakeReplica(self.seconds)

    def replicas_of(self, opened_by: Any) -> int:
        """All of them."""
        return self.replicas

    def fit(self) -> None:
        """All fits."""

    def forget(self, pool: Any) -> None:
        """Nothing is kept."""

    def share_out(self, work: Any) -> None:
        """All do everything."""

    def engine_share(self, gpus: int) -> float:
        """Any number fits."""
        return 0.0

    def words(self) -> str:
        """Nothing to say."""
        return ""

    def told(self) -> dict[str, Any]:
        """For the lock file."""
        return {"on": "fake"}

    def end_trainings(self) -> None:
        """There are none."""


def simulated(asked: argparse.Namespace) -> dict[str, Any]:
    """Replies a second of whole runs of sessions: here, on replicas that answer at once, and on those of measured speed."""
    few = max(200, asked.sessions // 10)
    run(None, 20, asked.turns)  # what is imported once is no turn's
    local = run(None, few, asked.turns)
    limit = run(FakeCluster(8, 0.0), few, asked.turns)
    found: dict[str, Any] = {
        "local": local,
        "limit": limit,
        "limit_of_local": round(limit["a_cpu_second"] / local["a_cpu_second"], 2),
    }
    print(json.dumps(found), flush=True)
    for replicas in asked.replicas:
        wanted = replicas * AT_ONCE / REPLY_SECONDS
        made = run(FakeCluster(replicas, REPLY_SECONDS), asked.sessions, asked.turns)
        of_local = round(made["a_cpu_second"] / local["a_cpu_second"], 2)
        found[str(replicas)] = {"engines_could": round(wanted), **made, "of_local": of_local}
        print(json.dumps({str(replicas): found[str(replicas)]}), flush=True)
    return found


def run(cluster: FakeCluster | None, sessions: int, turns: int) -> dict[str, float]:
    """Replies a second, and for each second of CPU that this process took: what it could do on a core of its own.

    Of a whole study of so many sessions, its start and its checks included.
    """
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.pipeline import run_study
    from cbtrun.registry import load_registry
    from cbtrun.run.options import RunOptions
    from cbtrun.study.load import load_study

    registry = load_registry(extra=[("quick", Quick())])
    with tempfile.TemporaryDirectory(prefix="cbtrun-bench-") as scratch:
        spec = Path(scratch) / "study.yaml"
        spec.write_text(STUDY.format(count=sessions, turns=turns))
        study = load_study(spec, registry=registry)
        options = RunOptions(concurrency=20_000, cluster=cluster)  # type: ignore[arg-type]
        began, cpu = time.perf_counter(), time.process_time()
        outcome = run_study(study, registry, RunFolder(Path(scratch) / "runs"), options)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    assert not outcome.failures, outcome.failures[:2]
    return {"a_second": round(sessions * turns / wall, 1), "a_cpu_second": round(sessions * turns / cpu, 1)}


STUDY = """
cbtrun: 1
study: driver
seed: 7
contains: none
models: {{quick: {{using: quick}}}}
personas: {{eval: {{using: sampled, attributes: depression, count: {count}}}}}
arms: {{only: {{therapist: quick}}}}
sessions: {{using: dialogue, patient: quick, personas: eval, max_turns: {turns}, farewell: false, reminder: false, end_markers: []}}
"""


class Quick:
    """`quick`: a model that answers at once, here or wherever it is opened."""

    @hookimpl
    def options_schema(self, stage: str) -> dict[str, Any] | None:
        """No options."""
        return {"type": "object", "x-elsewhere": "model", "properties": {}} if stage == "models" else None

    @hookimpl
    def open_model(self, context: Any) -> Any:
        """The model."""
        return QuickModel()


class QuickModel:
    """A line, at once."""

    def __init__(self) -> None:
        self.identity, self.made = {"model": "quick"}, 0

    async def reply(self, request: Any) -> Any:
        """The line."""
        from cbtrun.contract.models import Reply

        await asyncio.sleep(0)
        self.made += 1
        return Reply(f"{WORDS} {self.made}", tokens_in=400, tokens_out=20)

    async def close(self) -> None:
        """Nothing is held."""


def start() -> Callable[[], None]:
    """What this process is to do."""
    if len(sys.argv) == 3 and sys.argv[1] == "--driver":
        return lambda: driver(int(sys.argv[2]))
    return main


if __name__ == "__main__":
    start()()
