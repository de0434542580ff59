"""Nothing is imported from the folder one stands in, by cbtrun or by what it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cbtrun.import_path import child_environment, is_cbtrun, without_current_folder
from cbtrun.plugins.tuning.worker_processes import run_together
from cbtrun.plugins.vllm_models.engine import environment_of

SINGS = "import pathlib; pathlib.Path(__file__).with_name('PWNED').touch()\n"


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder one stands in, with files named like what cbtrun imports; whichever runs leaves PWNED."""
    for name in ("click", "yaml", "json", "colorsys", "jsonschema", "sitecustomize", "usercustomize"):
        (tmp_path / f"{name}.py").write_text(SINGS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_training_process_does_not_look_into_the_current_folder(
    trap: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep + str(tmp_path_factory.mktemp("lib"))
    )  # an empty entry is where we stand
    run_together("colorsys", tmp_path_factory.mktemp("work"), 1, (), lambda *_: None)
    assert not (trap / "PWNED").exists()


def test_cbtrun_started_as_a_module_does_not_look_into_the_current_folder(trap: Path) -> None:
    command = [sys.executable, "-m", "cbtrun.cli.main", "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "cbtrun" in said.stdout
    assert not (trap / "PWNED").exists()


@pytest.mark.parametrize("written", ["{}:", ":{}", "{}:."])
def test_the_installed_command_does_not_look_there_whatever_pythonpath_has_left_out(
    trap: Path, written: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for own in ("sitecustomize", "usercustomize"):  # Python itself imports these before cbtrun begins
        (trap / f"{own}.py").unlink()
    command = [str(Path(sys.executable).with_name("cbtrun")), "--version"]
    environment = {**os.environ, "PYTHONPATH": written.format(tmp_path_factory.mktemp("lib"))}
    subprocess.run(command, capture_output=True, check=True, env=environment)
    assert not (trap / "PWNED").exists()


def test_children_get_no_empty_or_relative_entries_and_the_rest_as_it_was() -> None:
    found = child_environment({"PYTHONPATH": ":/lib::.:x:/more", "PATH": "/bin:.", "HOME": "/home/me"})
    assert (found["PYTHONPATH"], found["PATH"], found["HOME"]) == ("/lib:/more", "/bin", "/home/me")
    assert found["PYTHONSAFEPATH"] == "1"
    assert "PYTHONPATH" not in child_environment({"PYTHONPATH": "."})


def test_torch_unpickles_no_objects_in_children_whatever_was_set() -> None:
    found = child_environment({"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"})
    assert found["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] == "1"
    assert "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" not in found


def test_an_engine_s_processes_look_into_no_relative_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", ":/lib")
    monkeypatch.setenv("VLLM_ALLOW_INSECURE_SERIALIZATION", "1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-0123456789")
    with environment_of({"batch_invariant": False}):
        assert "OPENAI_API_KEY" not in os.environ
        assert (os.environ["PYTHONPATH"], os.environ["PYTHONSAFEPATH"]) == ("/lib", "1")
        assert os.environ["VLLM_ALLOW_INSECURE_SERIALIZATION"] == "0"
    assert os.environ["PYTHONPATH"] == ":/lib"


def test_a_folder_that_pythonpath_names_in_full_and_one_that_was_installed_stay() -> None:
    here, library = str(Path.cwd()), os.path.dirname(os.__file__)  # noqa: PTH120 - as sys.path writes it
    path = [here, "", "x", "/lib", library, "/site-packages", here]
    assert without_current_folder(path, []) == ["/lib", library, "/site-packages", here]
    assert without_current_folder(path, [here]) == [here, "/lib", library, "/site-packages", here]


@pytest.mark.parametrize(
    ("command", "ours"),
    [
        ("python /venv/bin/cbtrun validate study.yaml", True),
        ("python -m cbtrun.cli.main validate study.yaml", True),
        ("python -P -m cbtrun.plugins.mock_server", True),
        ("python -m pytest cbtrun", False),
        ("python notebook.py", False),
        ("python -m ipykernel_launcher", False),
    ],
)
def test_only_cbtrun_itself_changes_where_its_process_looks(command: str, ours: bool) -> None:
    assert is_cbtrun(command.split()) is ours
