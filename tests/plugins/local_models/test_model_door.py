"""A model's folder or an adapter that asks for more than to be read is refused before anything of it is loaded."""

from __future__ import annotations

import io
import json
import pickle
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cbtrun.errors import ModelError, StageError
from cbtrun.plugins.local_models.adapter_door import adapter_settings, check_adapter_files
from cbtrun.plugins.local_models.model_door import check_model_folder, folder_problems
from cbtrun.plugins.local_models.model_files import ModelFiles, find_model, load_base, load_tokenizer, with_adapter
from cbtrun.plugins.tuning.adapter_folder import last_checkpoint
from cbtrun.plugins.tuning.model_export import export_adapter
from cbtrun.testing.projects import StudyProject
from tests.helpers.excerpts import without_excerpts
from tests.helpers.tiny_models import make_model

Project = Callable[[Mapping[str, str]], StudyProject]
STUDY = """
cbtrun: 1
study: strange
contains: none
models:
  patient: {using: scripted-patient}
  therapist: {using: USING, model: MODEL}
personas: {eval: {using: sampled, attributes: depression, count: 1}}
arms: {one: {therapist: therapist}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 2}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Settings and a file of weights, which no check opens."""
    home = tmp_path / "model"
    home.mkdir()
    (home / "config.json").write_text(json.dumps({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}))
    (home / "model.safetensors").touch()
    return home


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("config.json", {"auto_map": {"AutoModel": "m.M"}}, "config.json: 'auto_map' names Python classes"),
        ("tokenizer_config.json", {"auto_map": ["t.T", None]}, "tokenizer_config.json: 'auto_map' names"),
        ("processor_config.json", {"auto_map": {"AutoProcessor": "p.P"}}, "processor_config.json: 'auto_map' names"),
        ("config.json", {"text_config": {"auto_map": {"AutoConfig": "other/repo--c.C"}}}, "'auto_map' names Python"),
        ("config.json", {"trust_remote_code": True}, "'trust_remote_code' asks to run Python"),
        (
            "config.json",
            {"attn_implementation": "someone/kernel"},
            "is 'someone/kernel', which would be fetched and run",
        ),
        ("config.json", {"vision_config": {"_attn_implementation": {"": "x/y"}}}, "is 'x/y', which would be fetched"),
        ("config.json", {"transformers_weights": "pytorch_model.bin"}, "names a file of weights"),
        ("config.json", {"quantization_config": {"quant_method": "mine"}}, "'quant_method' is 'mine'; known: aqlm"),
        ("tokenizer_config.json", {"tokenizer_class": "AutoTokenizer"}, "is 'AutoTokenizer', which is no tokenizer of"),
        ("tokenizer_config.json", {"tokenizer_class": "os.system"}, "is 'os.system', which is no tokenizer of"),
        ("tokenizer_config.json", {"vocab_file": "../../secret"}, "'vocab_file' names a file outside this folder"),
        ("generation_config.json", {"custom_generate": "./x"}, "'custom_generate' names Python that generates"),
        ("adapter_config.json", {"base_model_name_or_path": "x"}, "adapter_config.json names another model to load"),
        (
            "model.safetensors.index.json",
            {"weight_map": {"a": "../a.safetensors"}},
            "no safetensors file of this folder",
        ),
        (
            "model.safetensors.index.json",
            {"weight_map": {"a": "a.bin"}},
            "'a.bin' is no safetensors file of this folder",
        ),
        ("config.json", [1], "config.json is no mapping"),
    ],
)
def test_what_asks_for_code_or_for_another_place_is_named(folder: Path, name: str, settings: Any, said: str) -> None:
    (folder / name).write_text(json.dumps(settings))
    with pytest.raises(ModelError) as refused:
        check_model_folder(folder)
    assert said in str(refused.value)


def test_python_of_a_model_is_named_and_other_python_beside_it_is_left_alone(folder: Path) -> None:
    (folder / "convert.py").touch()
    assert list(folder_problems(folder)) == []
    (folder / "modeling_mine.py").touch()
    (folder / "custom_generate").mkdir()
    assert [one.split()[0] for one in folder_problems(folder)] == ["custom_generate/", "modeling_mine.py"]


def test_settings_that_are_too_deep_too_long_or_no_json_are_refused(folder: Path) -> None:
    (folder / "a.json").write_text('{"a":' * 60 + "1" + "}" * 60)
    (folder / "b.json").write_text('{"a":' * 100_000)
    (folder / "c.json").write_text("no")
    (folder / "d.json").write_text(" " * (5 * 2**20) + "{}")
    assert [one.split(":")[0].split()[0] for one in folder_problems(folder)] == ["a.json", "b.json", "c.json", "d.json"]


def test_pickled_weights_alone_are_refused_and_beside_safetensors_not_read(folder: Path) -> None:
    (folder / "pytorch_model.bin").touch()
    check_model_folder(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="no safetensors weights in this folder; other formats can run code"):
        check_model_folder(folder)


@pytest.mark.parametrize(
    "name", ["LlamaTokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend", "Qwen2Tokenizer"]
)
def test_tokenizers_of_transformers_are_taken(folder: Path, name: str) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": name, "auto_map": None}))
    check_model_folder(folder)


@pytest.mark.parametrize("using", ["transformers", "vllm"])
def test_validate_says_with_its_line_why_a_model_s_folder_is_refused(study_project: Project, using: str) -> None:
    project = study_project({"study.yaml": STUDY.replace("USING", using).replace("MODEL", "./evil")})
    project.write("evil/config.json", json.dumps({"auto_map": {"AutoModelForCausalLM": "modeling_x.X"}}))
    project.write("evil/model.safetensors", "")
    assert without_excerpts(project.run("validate", "study.yaml").err) == (
        f"study.yaml:7:{31 + len(using)}: models/therapist/model: evil: config.json: 'auto_map' names Python classes that "
        "come with the model; no model's own code is run\n1 problem; nothing was run.\n"
    )


@pytest.mark.parametrize("using", ["transformers", "vllm"])
@pytest.mark.parametrize("command", ["validate", "plan", "doctor"])
@pytest.mark.parametrize("model", ["./not-here", "/not/here", "~/not-here", "~nobody-of-that-name/x", "a b", "x" * 300])
def test_a_model_that_is_nowhere_is_said_by_every_command(
    study_project: Project, using: str, command: str, model: str
) -> None:
    project = study_project({"study.yaml": STUDY.replace("USING", using).replace("MODEL", f'"{model}"')})
    outcome = project.run(command, "study.yaml")
    assert outcome.code == 2
    assert outcome.err.startswith(f"study.yaml:7:{31 + len(using)}: models/therapist/model: ")
    assert outcome.err.endswith("1 problem; nothing was run.\n")


SINGS = "import pathlib\npathlib.Path(__file__).with_name('PWNED').touch()\n"


@pytest.mark.parametrize("asked_as", ["EvilTokenizer", "AutoTokenizer"])
def test_a_model_s_python_does_not_run_even_past_the_door_and_nobody_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked_as: str
) -> None:
    """As a model from the hub would come: its settings are read when it is loaded."""
    model = make_model(tmp_path)
    settings = json.loads((model / "tokenizer_config.json").read_text())
    settings |= {"tokenizer_class": asked_as, "auto_map": {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}}
    (model / "tokenizer_config.json").write_text(json.dumps(settings))
    config = json.loads((model / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"}}
    (model / "config.json").write_text(json.dumps(config))
    (model / "evil.py").write_text(SINGS)
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 9))
    files = ModelFiles(str(model), None, None, "from/hub")
    for load in (load_tokenizer, lambda files: load_base(files, "float32")):
        with pytest.raises(ModelError, match="cannot be opened"):
            load(files)
    assert not (model / "PWNED").exists()
    assert sys.stdin.read() == "y\n" * 9


ADAPTER = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"], "task_type": "CAUSAL_LM"}


def adapter(folder: Path, **settings: Any) -> Path:
    """An adapter's folder; its weights are not opened by the checks."""
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({**ADAPTER, **settings}))
    (folder / "adapter_model.safetensors").touch()
    return folder


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("auto_mapping", {"base_model_class": "X", "parent_library": "evil"}),
        ("megatron_config", {"a": 1}),
        ("megatron_core", "evil.core"),
        ("peft_type", "XLORA"),
        ("corda_config", {"cache_file": "/tmp/x.pt"}),
        ("eva_config", {"rho": 2}),
        ("loftq_config", {"a": 1}),
        ("arrow_config", {"a": 1}),
        ("runtime_config", {"ephemeral_gpu_offload": True}),
        ("target_parameters", ["x"]),
        ("something_new", "evil"),
        ("r", "4"),
        ("task_type", "SEQ_CLS"),
        ("rank_pattern", {"q": "evil"}),
    ],
)
def test_an_adapter_s_setting_that_lora_does_not_need_is_refused_by_its_name(
    tmp_path: Path, name: str, value: Any
) -> None:
    with pytest.raises(ModelError, match=f"'{name}' is "):
        adapter_settings(adapter(tmp_path / "a", **{name: value}))


def test_what_peft_itself_writes_is_read_and_the_base_it_names_is_not_followed(tmp_path: Path) -> None:
    from peft import LoraConfig

    config = LoraConfig(**{name: value for name, value in ADAPTER.items() if name != "peft_type"})
    config.base_model_name_or_path = "/somewhere/else"
    config.save_pretrained(str(tmp_path))
    found = adapter_settings(tmp_path)
    assert (found["r"], found["target_modules"]) == (4, ["q_proj"])
    assert "base_model_name_or_path" not in found
    assert LoraConfig(**found).target_modules == {"q_proj"}


@pytest.mark.parametrize("name", ["adapter_model.bin", "new_embeddings.bin", "x.pt", "x.pkl"])
def test_pickled_weights_of_an_adapter_are_refused(tmp_path: Path, name: str) -> None:
    folder = adapter(tmp_path / "a")
    (folder / name).write_bytes(pickle.dumps({}))
    with pytest.raises(ModelError, match=f"holds {name}: pickled files can run code; only safetensors are read"):
        check_adapter_files(folder)


def test_no_adapter_that_asks_for_more_is_opened_or_exported(tmp_path: Path) -> None:
    folder = adapter(tmp_path / "a", auto_mapping={"parent_library": "evil"})
    with pytest.raises(ModelError, match="'auto_mapping' is nothing that a LoRA adapter needs"):
        with_adapter(None, folder)
    with pytest.raises(ModelError, match="'auto_mapping' is nothing"):
        export_adapter(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", [".metadata", "__0_0.distcp", "adapter_model.bin"])
def test_a_checkpoint_with_what_torch_would_unpickle_is_refused(tmp_path: Path, name: str) -> None:
    checkpoint = tmp_path / "checkpoint-5"
    (checkpoint / "optimizer_0").mkdir(parents=True)
    (checkpoint / "complete").touch()
    assert last_checkpoint(tmp_path) == checkpoint
    (checkpoint / "optimizer_0" / name).touch()
    with pytest.raises(StageError, match="which no training of cbtrun writes and which can run code"):
        last_checkpoint(tmp_path)


def test_the_embedded_model_passes_the_door() -> None:
    check_model_folder(Path(find_model("cbtrun:tiny").source))
