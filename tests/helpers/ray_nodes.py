"""A Ray of several nodes on this machine, in a process of its own: `python -m tests.helpers.ray_nodes 3`.

It prints the address, then obeys lines: `add`, `lose` (the last node that was added, without a word), `end`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parents[2]


@dataclass
class Nodes:
    """The process that holds the nodes."""

    process: subprocess.Popen[str]
    address: str
    client: str
    """`ray://HOST:PORT`."""

    def add(self) -> None:
        """One node more."""
        self._say("add")

    def lose(self) -> None:
        """The last one that was added is gone, and all on it."""
        self._say("lose")

    def engines(self) -> list[int]:
        """Numbers of the processes that hold an engine."""
        return [pid for pid in descendants(self.process.pid) if name_of(pid).startswith("ray::EngineProcess")]

    def _say(self, word: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        while (line := self.process.stdout.readline()) and not line.startswith("done"):
            pass


@contextmanager
def ray_nodes(count: int, cpus: int = 2) -> Iterator[Nodes]:
    """So many nodes for as long as the block lasts."""
    command = [sys.executable, "-m", "tests.helpers.ray_nodes", str(count), str(cpus)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    process = subprocess.Popen(command, cwd=HERE, env=environment, text=True, start_new_session=True, **pipes)  # type: ignore[call-overload]
    try:
        for line in process.stdout:
            if line.startswith("{"):
                told = json.loads(line)
                yield Nodes(process, told["address"], told["client"])
                return
        raise RuntimeError("Ray's nodes did not start")
    finally:
        below = descendants(process.pid)
        with suppress(OSError):
            process.stdin.write("end\n")
            process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
        process.kill()
        process.wait()
        process.stdout.close()
        for pid in below:  # what Ray left
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """Numbers of all processes below one."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(folder.name))
    found, waiting = [], [pid]
    while waiting:
        below = parents.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def name_of(pid: int) -> str:
    """The command line of a process; empty for one that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ").strip()
    except OSError:
        return ""


def _free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _hold(count: int, cpus: int) -> None:
    from ray.cluster_utils import Cluster

    port = _free_port()
    head = {"num_cpus": cpus, "include_dashboard": False, "ray_client_server_port": port}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    added = [cluster.add_node(num_cpus=cpus) for _ in range(count - 1)]
    host = cluster.address.partition(":")[0]
    print(json.dumps({"address": cluster.address, "client": f"ray://{host}:{port}"}), flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            break
        with suppress(Exception):  # on a busy machine a node may come late, or not at all
            if line.strip() == "add":
                added.append(cluster.add_node(num_cpus=cpus))
            elif added:
                cluster.remove_node(added.pop(), allow_graceful=False)
        print("done", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    _hold(int(sys.argv[1]), int(sys.argv[2]))
