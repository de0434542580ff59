"""A study as one batch script of Slurm: Ray's head and workers by `srun`, the same command, and a stop before the time limit.

Whatever a study or a user names stands in it as one quoted word, for bash and for Slurm's own lines. The run is found again by
its name: a second job of that name waits for the first, and a requeued one goes on in the run folder.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cbtrun.errors import StageError

MOST_RESTARTS = 100
"""Requeues after which a study that never ends within its time is given up."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class SlurmJob:
    """What is asked of Slurm, and what is run there."""

    study: str
    """The study's name: that of the job and of its run folder."""
    command: Sequence[str]
    """As it would be typed on one machine: `cbtrun`, the file, its options."""
    folder: Path
    """Where it would be typed."""
    log: Path
    nodes: int = 1
    gpus: int = 1
    """Of each node."""
    cpus: int = 8
    time: str = "24:00:00"
    notice_seconds: int = 180
    """How long before the limit the run is told to stop."""
    more: Sequence[str] = ()
    """Further options of sbatch, as `--partition=gpu`."""
    before: Sequence[str] = ()
    """Lines of bash before all else: the user's own, taken as they are."""


def batch_script(job: SlurmJob) -> str:
    """The script. Raises StageError for a name or a path that no line can hold."""
    for text in (job.study, str(job.folder), str(job.log), *job.command, *job.more):
        if _CONTROL.search(text):
            raise StageError(
                f"{text!r}: holds a line break or another control character, which no batch script can hold"
            )
    return "\n".join(["#!/bin/bash", *_directives(job), "", *_body(job)]) + "\n"


def _directives(job: SlurmJob) -> Iterator[str]:
    log = str(job.log).replace("%", "%%")  # %j and the like would be filled in
    asked = [
        f"--job-name={job.study}",
        "--dependency=singleton",
        f"--nodes={job.nodes}",
        "--ntasks-per-node=1",
        f"--cpus-per-task={job.cpus}",
        *([f"--gpus-per-node={job.gpus}"] if job.gpus else []),
        f"--time={job.time}",
        f"--signal=B:TERM@{job.notice_seconds}",
        "--requeue",
        "--open-mode=append",
        f"--output={log}",
        f"--chdir={job.folder}",
        *job.more,
    ]
    yield from (f"#SBATCH {_slurm_word(one)}" for one in asked)


def _slurm_word(option: str) -> str:
    """An option as Slurm's own lines take it: what could end it early in quotes, with their backslashes."""
    name, sign, value = option.partition("=")
    if re.fullmatch(r"[\w@%+=:,./-]*", value):
        return option
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}{sign}"{escaped}"'


def _body(job: SlurmJob) -> Iterator[str]:
    yield "# shellcheck disable=SC2016,SC2329 # words of the study's are no code; traps call functions"
    yield "set -u"
    yield from job.before
    yield f"command=({shlex.join(job.command)} --on ray)"
    yield f"nodes={job.nodes} cpus={job.cpus} gpus={job.gpus} most_restarts={MOST_RESTARTS}"
    yield BODY


BODY = r"""
port=$((20000 + ${SLURM_JOB_ID:-0} % 20000)) # jobs that share a node get ports of their own
told=0 driver='' rays=()

# Slurm's signal before the limit: the run lands its calls and ends with exit 4.
on_term() {
    told=1
    [ -z "$driver" ] || kill -TERM "$driver" 2>/dev/null
}
trap on_term TERM
stop_ray() { [ ${#rays[@]} -eq 0 ] || kill "${rays[@]}" 2>/dev/null; }
trap stop_ray EXIT

mapfile -t hosts < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${hosts[0]}
ray_node() { srun --overlap --nodes=1 --ntasks=1 --cpus-per-task="$cpus" --nodelist="$1" ray start "${@:2}" --num-gpus="$gpus" --block & rays+=($!); }
ray_node "$head" --head --node-ip-address="$head" --port="$port"
for host in "${hosts[@]:1}"; do
    ray_node "$host" --address="$head:$port"
done
export RAY_ADDRESS="$head:$port"
for _ in $(seq 120); do
    [ "$told" = 0 ] || break
    ray health-check --address "$RAY_ADDRESS" >/dev/null 2>&1 && break
    sleep 1
done

code=4
if [ "$told" = 0 ]; then
    "${command[@]}" &
    driver=$!
    # A trapped signal ends `wait` early, so it is asked again until the driver is gone.
    while :; do
        wait "$driver"
        code=$?
        kill -0 "$driver" 2>/dev/null || break
    done
fi
if [ "$told" = 1 ] && [ "$code" = 4 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt "$most_restarts" ]; then
    echo "stopped before the time limit; the same job goes on (start $((${SLURM_RESTART_COUNT:-0} + 2)) of at most $((most_restarts + 1)), $nodes nodes)"
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
""".strip()
