"""Code planted wherever a stranger can reach: none of it runs, whatever the command."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LIBRARIES = (
    *("click", "yaml", "json", "jsonschema", "pluggy", "pydantic", "numpy", "torch", "transformers", "trl", "peft"),
    *(
        "datasets",
        "pandas",
        "aiohttp",
        "instructor",
        "openai",
        "vllm",
        "wandb",
        "re",
        "typing",
        "dataclasses",
        "contextlib",
    ),
    *("cbtrun_plugin", "conftest", "setup"),
)
FINE = """
cbtrun: 1
study: canary
contains: none
models: {author: {using: grammar}, patient: {using: scripted-patient}, careful: {using: careful-control}, tiny: TINY}
personas: {train: {using: sampled, attributes: depression, count: 2}, eval: {using: sampled, attributes: depression, count: 1}}
arms: {one: {therapist: careful}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 2}
"""
HOSTILE = (
    FINE.replace("TINY", "{using: transformers, model: ./model}, engine: {using: vllm, model: ./model}")
    + """
corpus:
  set: {using: hub, name: a/set, revision: "0000000000000000000000000000000000000000", path: ./set, columns: {transcript: id, speaker: w, text: t}, speakers: {T: therapist}}
tune:
  tuned: {using: sft, base: tiny, corpus: set, max_steps: 1, report_to: [wandb]}
"""
)


class Sings:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """A folder from a stranger; whatever of it runs leaves a file or folder `SANG-...`."""
    sings = "import os\nopen(os.path.join({home!r}, 'SANG-' + {name!r}), 'w').close()\n"

    def plant(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(sings.format(home=str(tmp_path), name=path.stem))

    for name in LIBRARIES:
        plant(tmp_path / f"{name}.py")
    evil = tmp_path / "evil-1.0.dist-info"  # an entry point of cbtrun's, were this folder searched for packages
    evil.mkdir()
    (evil / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (evil / "entry_points.txt").write_text(
        "[cbtrun]\nevil = cbtrun_plugin\n[vllm.general_plugins]\nevil = cbtrun_plugin\n"
    )
    for name in ("modeling_evil.py", "tokenization_evil.py", "custom_generate/generate.py"):
        plant(tmp_path / "model" / name)
    classes = {"AutoConfig": "modeling_evil.C", "AutoModelForCausalLM": "modeling_evil.M"}
    (tmp_path / "model" / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": classes}))
    (tmp_path / "model" / "tokenizer_config.json").write_text(
        '{"auto_map": {"AutoTokenizer": ["tokenization_evil.T", null]}}'
    )
    (tmp_path / "model" / "model.safetensors").touch()
    for name in ("model/pytorch_model.bin", "model/training_args.bin", "set/train.pkl", "set/data.pth"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(pickle.dumps(Sings(tmp_path / f"SANG-{path.stem}")))
    plant(tmp_path / "set" / "set.py")
    return tmp_path


def commanded(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The installed command, in the folder, with somebody who says yes to all."""
    command = [str(Path(sys.executable).with_name("cbtrun")), *arguments]
    own = folder.with_name(f"{folder.name}-lib")
    own.mkdir(exist_ok=True)
    environment = {**os.environ, "HOME": str(own), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=folder, env=environment, input="y\n" * 9, capture_output=True, text=True)


def songs(folder: Path) -> list[str]:
    """What ran."""
    return sorted(path.name for path in folder.glob("SANG-*"))


def test_the_canaries_can_sing(strange: Path) -> None:
    subprocess.run([sys.executable, "-c", "import trl"], cwd=strange, check=True)
    pickle.loads((strange / "set" / "train.pkl").read_bytes())
    assert songs(strange) == ["SANG-train", "SANG-trl"]


@pytest.mark.parametrize("command", [["validate"], ["plan"], ["doctor"], ["run"], ["run", "--rehearse"]])
def test_a_hostile_folder_is_refused_and_nothing_of_it_runs(strange: Path, command: list[str]) -> None:
    (strange / "study.yaml").write_text(HOSTILE)
    ended = commanded(strange, command[0], "study.yaml", *command[1:])
    assert songs(strange) == []
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    for what in (
        "models/tiny/model: model: ",
        "models/engine/model: model: ",
        "corpus/set/path: train.pkl is of a kind",
    ):
        assert what in ended.stderr


@pytest.mark.parametrize("command", [["validate"], ["plan"], ["run"]])
def test_a_study_that_is_well_runs_between_files_named_like_libraries(strange: Path, command: list[str]) -> None:
    (strange / "study.yaml").write_text(FINE.replace("TINY", '{using: transformers, model: "cbtrun:tiny"}'))
    ended = commanded(strange, command[0], "study.yaml", *command[1:])
    assert songs(strange) == []
    assert ended.returncode == 0, ended.stderr


def test_no_plugin_is_found_in_the_folder_one_stands_in(strange: Path) -> None:
    listed = commanded(strange, "plugins")
    assert (songs(strange), "evil" in listed.stdout) == ([], False)


@pytest.mark.slow
def test_a_training_in_processes_of_its_own_runs_nothing_of_the_folder(strange: Path) -> None:
    corpus = (
        "{using: written-course, author: author, personas: train, course: depression-20, register: cbt, sessions: [1]}"
    )
    tune = "{using: sft, base: tiny, corpus: c, max_steps: 2, devices: 2, threads: 1, batch_size: 1, max_length: 512}"
    text = FINE.replace("TINY", '{using: transformers, model: "cbtrun:tiny", max_tokens: 8}')
    (strange / "study.yaml").write_text(f"{text}corpus: {{c: {corpus}}}\ntune: {{j: {tune}}}\n")
    ended = commanded(strange, "study.yaml")
    assert songs(strange) == []
    assert ended.returncode == 0, ended.stderr
