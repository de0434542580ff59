"""Reaching a Ray cluster, and leaving it: only one that the user named, with no key and no folder of a stranger's sent along."""

from __future__ import annotations

import os
import secrets
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from cbtrun.cluster.cluster import Cluster
from cbtrun.cluster.machine_facts import code_of_cbtrun, versions
from cbtrun.contract.workplace import use_machines
from cbtrun.errors import StageError, StopRun
from cbtrun.import_path import child_environment
from cbtrun.keys.secrets import HUB_KEYS, environment_without_keys
from cbtrun.version import __version__

if TYPE_CHECKING:
    from cbtrun.cluster.where import Where

EXTRA = "--on ray needs Ray; pip install 'cbtrun[ray]'"
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1", "RAY_worker_niceness": "0"}
"""Nothing is told to Ray's makers; a process that asked for no GPU sees none; those of a Ray that is started here work like this one."""
CLOCK_SECONDS = 60.0
"""A machine whose clock is so far from the driver's is told of."""


@contextmanager
def cluster_of(where: Where) -> Iterator[Cluster | None]:
    """The cluster, connected to for as long as the block lasts; none for `local`.

    Raises StageError where Ray is not installed or a machine's versions are not the driver's, StopRun where the cluster is
    not reached.
    """
    if where.is_local:
        yield None
        return
    with looked_at(where) as cluster:
        if problems := version_problems(cluster):
            raise StageError("\n".join(problems))
        yield cluster


@contextmanager
def looked_at(where: Where, models: Sequence[str] = ()) -> Iterator[Cluster]:
    """The cluster, whatever its machines are like; what is said of GPUs and packages is said of them. models: looked for there."""
    with connected(where) as cluster:
        cluster.ask_machines(models)
        use_machines(cluster.seen)
        try:
            yield cluster
        finally:
            use_machines(None)


@contextmanager
def connected(where: Where) -> Iterator[Cluster]:
    """The cluster; its machines are not asked yet."""
    if find_spec("ray") is None:
        raise StageError(EXTRA)
    # It stays until the end: a Ray that is started here stands in it.
    with tempfile.TemporaryDirectory(prefix="cbtrun-ray-", ignore_cleanup_errors=True) as empty:
        with _signals_as_they_were(), _bare_environment(), chdir(empty):
            import ray

            _connect(ray, where)
        try:
            yield Cluster(where, ray)
        finally:
            with suppress(Exception):
                ray.shutdown()


def _connect(ray: Any, where: Where) -> None:
    """Raises StopRun where nobody answers."""
    common: dict[str, Any] = {
        "namespace": f"cbtrun-{secrets.token_hex(8)}",  # nobody finds our processes by a name
        "log_to_driver": False,
        "configure_logging": False,
    }
    try:
        if where.on != "ray":
            ray.init(address=where.on, **common)
            return
        with suppress(ConnectionError):
            ray.init(address="auto", **common)
            return
        ray.init(address="local", include_dashboard=False, **common)
    except Exception as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise StopRun(f"the cluster at {where.on} is not reached: {words[:400]}") from error


def version_problems(cluster: Cluster) -> list[str]:
    """Where a machine has another Python, cbtrun or library than the driver: replies and adapters would depend on the machine."""
    if not cluster.machines:
        return ["the cluster has no machine with CPU cores to give"]
    found = []
    own, code = versions(), code_of_cbtrun()
    for machine in cluster.machines:
        facts, name = machine.facts, machine.facts["host"]
        if facts["cbtrun"] != __version__:
            found.append(f"machine {name} has cbtrun {facts['cbtrun']}, this one {__version__}; install the same")
        elif facts["code"] != code:
            found.append(f"machine {name} has cbtrun {__version__} with other code than this one; install the same")
        theirs = facts["versions"]
        found += [
            f"machine {name} has {package} {theirs[package]}, this one {own[package]}; install the same"
            for package in own
            if package in theirs and theirs[package] != own[package]
        ]
    first = cluster.machines[0].facts
    for machine in cluster.machines[1:]:  # what the driver lacks may still differ between the others
        found += [
            f"machine {machine.facts['host']} has {package} {there}, {first['host']} has {first['versions'][package]}"
            for package, there in machine.facts["versions"].items()
            if package not in own and first["versions"].get(package, there) != there
        ]
    return found


@contextmanager
def _bare_environment() -> Iterator[None]:
    """What a local Ray is started with, and what Ray tells a cluster of this process: no key.

    Who connects also stands in an empty folder: Ray has its workers look for code in the one that the driver stands in.
    """
    before = dict(os.environ)
    kept = child_environment(environment_without_keys(keep=(*HUB_KEYS, "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")))
    try:
        for name in {*os.environ} - {*kept}:
            del os.environ[name]
        os.environ.update({**QUIET, **kept})
        yield
    finally:
        for name in {*os.environ} - {*before}:
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def _signals_as_they_were() -> Iterator[None]:
    """Ray takes SIGTERM for itself: a run that is told to end has to let calls land."""
    kept = {}
    with suppress(ValueError):  # not the main thread: no signal is taken there
        kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            with suppress(ValueError):
                signal.signal(number, handler)
