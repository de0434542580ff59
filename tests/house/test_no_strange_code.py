"""Our source has no way to run what a stranger wrote, but those that are listed here with their reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.places import ROOT

SOURCES = sorted(path for part in ("runner", "plugins") for path in (ROOT / part).rglob("*.py"))

UNPICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "runpy", "code", "imp"}
EVALUATES = {"eval", "exec", "execfile", "__import__"}
BY_NAME = {
    "import_module",
    "spec_from_file_location",
    "run_path",
    "run_module",
    "resolve_name",
    "load_module",
}
LOADS = {"load_dataset", "load_dataset_builder", "load_from_disk", "torch.load", "numpy.load", "np.load", "read_pickle"}
LOADS |= {"torch.hub.load", "hub.load", "get_kernel", "pipeline", "AsyncEngineArgs", "EngineArgs", "LLM"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}

ALLOWED = {
    ("runner/registry.py", "spec_from_file_location"): "a study's own plugins, with --allow-local-plugins",
    ("plugins/corpus/hub.py", "load_dataset_builder"): "reader and files are looked at before any is opened",
    ("plugins/vllm_models/engine.py", "AsyncEngineArgs"): "arguments are a typed list, trust_remote_code is False",
    ("runner/__init__.py", "import_module"): "modules of a table of our own: the public names",
    ("runner/plugin.py", "import_module"): "modules of a table of our own: what plugins may import",
    ("runner/cli/slurm.py", "subprocess"): "sbatch, its words as a list",
    ("runner/packaging/derived.py", "subprocess"): "cbtrun itself, by this Python, without keys",
    ("runner/cluster/machine_facts.py", "subprocess"): "nvidia-smi, its words fixed",
    (
        "runner/cluster/machine_facts.py",
        "import_module",
    ): "packages of cbtrun by a list of our own, for their files' digest",
    (
        "runner/cluster/node.py",
        "import_module",
    ): "a plugin's function that the driver names: whoever reaches Ray can run code",
    ("runner/run/study_lock.py", "subprocess"): "nvidia-smi, its words fixed",
    ("plugins/local_models/gpus.py", "subprocess"): "nvidia-smi, its words fixed",
    ("plugins/tuning/worker_processes.py", "subprocess"): "our own module, by python_module",
    ("plugins/vllm_models/early.py", "multiprocessing"): "the engine's core, from a server that imports our own module",
    ("plugins/tiny/tokens.py", "multiprocessing"): "how the embedded model was made; no study leads there",
    (
        "plugins/local_models/model_files.py",
        "from_pretrained",
    ): "one place for transformers, PEFT given our reading of settings",
    (
        "plugins/local_models/gguf_model.py",
        "from_pretrained",
    ): "settings of a GGUF file name no class; foreign code is off",
    ("plugins/local_models/gguf_model.py", "from_config"): "the same, without weights, to count them",
}
"""(file, name) -> why it may."""


def named(node: ast.expr) -> str:
    """A dotted name as it is written, or nothing."""
    if isinstance(node, ast.Name):
        return node.id
    return f"{named(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def suspects(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of everything that can turn text or bytes into code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [one.name for one in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (
                (node.lineno, one)
                for one in modules
                if one.split(".")[0] in UNPICKLES | {"multiprocessing", "subprocess"}
            )
            if isinstance(node, ast.ImportFrom):
                yield from ((node.lineno, one.name) for one in node.names if one.name in LOADS | BY_NAME | EVALUATES)
        elif isinstance(node, ast.Call):
            name = named(node.func)
            last = name.rpartition(".")[2]
            if (
                last in ("from_pretrained", "from_config")
                or name in EVALUATES | LOADS | SHELLS | {"compile"}
                or last in BY_NAME
            ):
                yield node.lineno, last if name not in LOADS else name
            if any(one.arg == "shell" for one in node.keywords):
                yield node.lineno, "shell"
            if name in ("yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load") and not safe_loader(node):
                yield node.lineno, name


def safe_loader(call: ast.Call) -> bool:
    """Whether a call of yaml.load names a safe loader."""
    return any(one.arg == "Loader" and "SafeLoader" in ast.unparse(one.value) for one in call.keywords)


def found_in(path: Path) -> list[tuple[str, str]]:
    """(file, name) of what is suspect in a source file, `multiprocessing.pool` as `multiprocessing`."""
    where = path.relative_to(ROOT).as_posix()
    return [
        (where, name.split(".")[0] if name.startswith("multi") else name)
        for _, name in suspects(ast.parse(path.read_text()))
    ]


def test_nothing_in_the_source_makes_code_of_what_it_reads_but_what_is_listed() -> None:
    found = {one for path in SOURCES for one in found_in(path)}
    assert found - set(ALLOWED) == set()
    assert set(ALLOWED) - found == set(), "a reason for what is no longer there"


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from marshal import loads",
        "eval(x)",
        "exec(x)",
        "compile(x, 'f', 'exec')",
        "__import__(x)",
        "importlib.import_module(x)",
        "AutoModel.from_pretrained(x)",
        "AutoModel.from_config(x)",
        "load_dataset(x)",
        "from datasets import load_dataset",
        "torch.load(x)",
        "yaml.load(x)",
        "yaml.load(x, Loader=yaml.UnsafeLoader)",
        "subprocess.run(x, shell=True)",
        "os.system(x)",
        "import subprocess",
    ],
)
def test_the_search_finds(source: str) -> None:
    assert list(suspects(ast.parse(source)))


def calls(path: str, name: str) -> Iterator[ast.Call]:
    """Calls of a function by its last name in a file."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Call) and named(node.func).rpartition(".")[2] == name:
            yield node


def test_every_model_and_tokenizer_is_opened_without_its_own_code() -> None:
    """All go through one function; those kinds that could run code are told not to where they are asked for."""
    opened = list(calls("plugins/local_models/model_files.py", "_from_pretrained"))
    kinds = {named(call.args[0]): {one.arg: ast.unparse(one.value) for one in call.keywords} for call in opened}
    assert set(kinds) == {"AutoTokenizer", "AutoModelForCausalLM", "AutoConfig", "GenerationConfig"}
    del kinds["GenerationConfig"]  # numbers of a JSON file; it knows no such option
    assert {kind: told.get("trust_remote_code") for kind, told in kinds.items()} == dict.fromkeys(kinds, "False")
    assert kinds["AutoModelForCausalLM"]["use_safetensors"] == "True"


def test_weights_of_adapters_are_safetensors_and_their_settings_are_read_by_us() -> None:
    (call,) = [
        one for one in calls("plugins/local_models/model_files.py", "from_pretrained") if "Peft" in named(one.func)
    ]
    told = {one.arg: ast.unparse(one.value) for one in call.keywords}
    assert told == {"config": "settings", "use_safetensors": "True", "is_trainable": "trainable"}


def test_processes_of_ours_are_started_by_fixed_words_in_a_safe_path() -> None:
    (call,) = calls("plugins/tuning/worker_processes.py", "Popen")
    assert ast.unparse(call.args[0]).startswith("python_module(")
    assert "child_environment(" in next(ast.unparse(one.value) for one in call.keywords if one.arg == "env")
    for path in ("runner/run/study_lock.py", "plugins/local_models/gpus.py"):
        (call,) = calls(path, "run")
        text = (ROOT / path).read_text()
        assert "nvidia-smi" in text
        assert not any(one.arg == "shell" for one in call.keywords)
