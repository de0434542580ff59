"""An engine's core is forked from a process that has imported vLLM already; it ends with its run like any other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

RUN = """
import sys, time
from cbtrun.plugins.vllm_models import early, requirements
from cbtrun.plugins.vllm_models.engine import environment_of
requirements.lacking = lambda options: []
options = {"tensor_parallel_size": 1, "batch_invariant": False}
early.start_early("/nowhere", options)
early.import_meanwhile()
with environment_of({**options, "batch_invariant": sys.argv[1] == "another"}), early.core_from_fork_server():
    from vllm.v1.engine import core, utils
    process = utils.get_mp_context().Process(target=core.run)
    process.start()
assert utils.get_mp_context().get_start_method() == "spawn"
time.sleep(60)
"""
CORE = """
import os
IMPORTED_IN = os.getpid()
def run():
    from cbtrun.plugins.vllm_models.orphans import end_with_parent
    end_with_parent()
    print(os.getpid(), "forked" if IMPORTED_IN == os.getppid() else "anew", flush=True)
    import time
    time.sleep(60)
"""
UTILS = """
import multiprocessing
def get_mp_context():
    return multiprocessing.get_context("spawn")
"""


@pytest.mark.parametrize(("environment", "how"), [("same", "forked"), ("another", "anew")])
def test_a_core_is_forked_where_its_environment_is_that_of_the_server(
    tmp_path: Path, environment: str, how: str
) -> None:
    """A package of vLLM's name stands in for it."""
    for name, text in (("v1/engine/core.py", CORE), ("v1/engine/utils.py", UTILS), ("engine/arg_utils.py", "")):
        path = tmp_path / "vllm" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    search = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-c", RUN, environment]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": search})
    assert run.stdout is not None
    process, told = run.stdout.readline().split()
    assert told == how
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdout.close()
    until = time.monotonic() + 30
    while _is_alive(int(process)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not _is_alive(int(process))


def _is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
