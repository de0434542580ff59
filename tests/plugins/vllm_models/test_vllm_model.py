"""The `vllm` plugin: on a stand-in for vLLM's engine where there is no GPU, on vLLM itself where there is one."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cbtrun.contract.models import ChatMessage, Draw, ModelContext, Request, TunedAdapter
from cbtrun.errors import ModelError, StopRun
from cbtrun.plugins.local_models.chat_format import prompt_text, request_chat
from cbtrun.plugins.local_models.gpus import gpu_memory
from cbtrun.plugins.local_models.model_files import find_model, load_tokenizer
from cbtrun.plugins.vllm_models import engine as vllm_engine
from cbtrun.plugins.vllm_models import requirements, vllm_model
from cbtrun.plugins.vllm_models.adapters import AdapterRoom, room_for
from cbtrun.plugins.vllm_models.engine import Asked, Made, engine_arguments, environment_of
from cbtrun.plugins.vllm_models.options import SCHEMA
from cbtrun.testing.projects import StudyProject
from tests.helpers.excerpts import without_excerpts
from tests.helpers.tiny_models import make_model

DEFAULTS = {name: one["default"] for name, one in SCHEMA["properties"].items() if "default" in one}
Project = Callable[[Mapping[str, str]], StudyProject]


class StandIn:
    """What the plugin sees of vLLM's engine; says back the end of the prompt."""

    cache_tokens = 4000
    block_tokens = 16

    def __init__(self, source: str, adapters: AdapterRoom) -> None:
        self.source, self.adapters = source, adapters
        self.asked: list[Asked] = []
        self.stopped = False
        self.error: Exception | None = None

    async def make(self, asked: Asked) -> Made:
        self.asked.append(asked)
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return Made(tuple(asked.prompt[-asked.max_tokens :]), "", "length", 0)

    async def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[StandIn]:
    """The engines that were opened."""
    opened: list[StandIn] = []

    def start(source: str, options: Mapping[str, Any], adapters: AdapterRoom) -> StandIn:
        opened.append(StandIn(source, adapters))
        return opened[-1]

    monkeypatch.setattr(vllm_engine, "start_engine", start)
    return opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


def context(folder: Path, shared: dict[str, Any], **more: Any) -> ModelContext:
    """A context for a block on the model in a folder."""
    of_context = {name: more.pop(name) for name in ("adapter", "adapter_digest", "adapters") if name in more}
    return ModelContext("m", {**DEFAULTS, "model": str(folder), **more}, shared=shared, **of_context)


def request(text: str = "How are you?", **more: Any) -> Request:
    """A short request."""
    return Request((ChatMessage("user", text),), Draw("therapist", "p"), **{"max_tokens": 5, "seed": 2**63 + 5, **more})


def adapter(folder: Path, **settings: Any) -> Path:
    """An adapter's settings, all that is looked at before vLLM reads it."""
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps({"r": 8, **settings}))
    (folder / "adapter_model.safetensors").touch()
    return folder


def test_the_prompt_is_rendered_as_in_training_and_the_seed_is_the_draw_s(folder: Path, engines: list[StandIn]) -> None:
    model = vllm_model.open_model(context(folder, {}))
    reply = asyncio.run(model.reply(request(stop=("X",), schema={"type": "object"})))
    (asked,) = engines[0].asked
    tokenizer = load_tokenizer(find_model(str(folder)))
    text = prompt_text(tokenizer, request_chat(request().messages))
    assert list(asked.prompt) == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert (asked.max_tokens, asked.seed, asked.stop, asked.schema) == (5, 5, ("X",), {"type": "object"})
    assert asked.ends == {tokenizer.eos_token_id}
    assert (reply.tokens_in, reply.tokens_out, reply.finish) == (len(asked.prompt), 5, "length")
    assert model.count_tokens(request().messages) == len(asked.prompt)


def test_a_base_and_its_adapters_share_one_engine_that_ends_with_the_last(
    folder: Path, engines: list[StandIn], tmp_path: Path
) -> None:
    lora = str(adapter(tmp_path / "lora", r=20))
    shared: dict[str, Any] = {}
    base = {**DEFAULTS, "model": str(folder), "using": "vllm"}
    tuned = [TunedAdapter(lora, base), TunedAdapter("elsewhere", {**base, "model": "other"})]
    first = vllm_model.open_model(context(folder, shared, adapters=tuned, temperature=0.1))
    second = vllm_model.open_model(context(folder, shared, adapters=tuned, adapter=lora, adapter_digest="d"))

    async def talk() -> list[bool]:
        await asyncio.gather(first.reply(request()), second.reply(request()))
        await first.close()
        still_open = not engines[0].stopped
        await second.close()
        return [still_open, engines[0].stopped]

    assert asyncio.run(talk()) == [True, True]
    assert [engine.adapters for engine in engines] == [AdapterRoom(1, 32)]
    assert {one.adapter for one in engines[0].asked} == {None, lora}
    assert first.identity != second.identity


def test_the_engine_opens_with_the_first_reply_and_then_the_room_is_known(folder: Path, engines: list[StandIn]) -> None:
    shared: dict[str, Any] = {}
    model, other = (vllm_model.open_model(context(folder, shared, temperature=heat)) for heat in (0.0, 1.0))
    assert (engines, model.room.tokens) == ([], None)
    asyncio.run(model.reply(request()))
    assert model.room is other.room
    assert model.room.tokens == 4000
    asyncio.run(model.close())
    asyncio.run(other.close())
    assert model.room.tokens is None


def test_other_engine_options_are_another_engine(folder: Path, engines: list[StandIn]) -> None:
    shared: dict[str, Any] = {}
    models = [vllm_model.open_model(context(folder, shared, max_model_len=length)) for length in (512, 1024)]

    async def talk() -> None:
        await asyncio.gather(*(model.reply(request()) for model in models))

    asyncio.run(talk())
    assert len(engines) == 2
    shares = [vllm_model.engine_of(context(folder, shared, max_model_len=length)) for length in (512, 1024, 512)]
    assert shares[0] == shares[2] != shares[1]


def test_an_engine_that_cannot_open_is_tried_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []

    def start(source: str, options: Mapping[str, Any], adapters: AdapterRoom) -> None:
        tries.append(source)
        raise ModelError("no memory")

    monkeypatch.setattr(vllm_engine, "start_engine", start)
    model = vllm_model.open_model(context(folder, {}))

    async def talk() -> list[Any]:
        return await asyncio.gather(*(model.reply(request()) for _ in range(3)), return_exceptions=True)

    assert [str(error) for error in asyncio.run(talk())] == ["no memory"] * 3
    assert len(tries) == 1


def test_a_prompt_without_room_for_a_reply_is_refused_with_both_numbers(folder: Path, engines: list[StandIn]) -> None:
    model = vllm_model.open_model(context(folder, {}, max_model_len=12))
    with pytest.raises(ModelError, match=r"the prompt has \d+ tokens and max_model_len is 12: no room for a reply"):
        asyncio.run(model.reply(request("word " * 30)))


def test_an_engine_that_dies_stops_the_run(folder: Path, engines: list[StandIn]) -> None:
    model = vllm_model.open_model(context(folder, {}))

    async def talk() -> None:
        await model.reply(request())
        engines[0].error = StopRun("dead")
        await model.reply(request())

    with pytest.raises(StopRun):
        asyncio.run(talk())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"modules_to_save": ["embed_tokens"]}, "holds whole layers \\(embed_tokens\\), which vLLM does not serve"),
        ({"r": 600}, "up to rank 512, and one of this study has 600"),
    ],
)
def test_adapters_that_vllm_cannot_serve_are_refused(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        room_for([str(adapter(tmp_path / "one", **settings))])


def test_arguments_of_the_engine_are_vllm_s_words() -> None:
    options = {**DEFAULTS, "model": "x", "revision": "abc", "engine": {"kv_offloading_size": 4}}
    arguments = engine_arguments("x", options, AdapterRoom(12, 16))
    assert (arguments["max_loras"], arguments["max_cpu_loras"], arguments["max_lora_rank"]) == (8, 12, 16)
    assert (arguments["kv_offloading_size"], arguments["revision"], arguments["trust_remote_code"]) == (4, "abc", False)
    assert "lora_target_modules" not in arguments
    assert "enable_lora" not in engine_arguments("x", options, AdapterRoom())


def test_steps_that_read_are_one_graph_unless_the_spec_says_otherwise() -> None:
    def graphs(**more: Any) -> Any:
        return engine_arguments("x", {**DEFAULTS, "model": "x", **more}, AdapterRoom()).get("compilation_config")

    sizes = graphs()["cudagraph_capture_sizes"]
    assert graphs() == {"cudagraph_mode": "FULL", "cudagraph_capture_sizes": sizes}
    assert (sizes[0], sizes[-1], sizes == sorted({*sizes}), len(sizes) < 40) == (1, 1024, True, True)
    assert all(after <= before * 1.15 for before, after in pairwise(sizes) if before >= 240)
    assert graphs(max_num_batched_tokens=64)["cudagraph_capture_sizes"] == [1, 2, 4, 8, 16, 32, 48, 64]
    assert graphs(engine={"cudagraph_capture_sizes": [1, 2]}) == {"cudagraph_mode": "FULL"}
    assert graphs(engine={"max_cudagraph_capture_size": 512}) == {"cudagraph_mode": "FULL"}
    assert graphs(engine={"compilation_config": {"cudagraph_mode": "PIECEWISE"}}) == {"cudagraph_mode": "PIECEWISE"}
    assert graphs(enforce_eager=True) is None


@pytest.mark.parametrize(
    ("first", "second", "layers"),
    [
        (["q_proj", "v_proj"], ["v_proj", "o_proj"], ["o_proj", "q_proj", "v_proj"]),
        (["model.layers.3.self_attn.q_proj"], ["q_proj"], ["q_proj"]),
        (["q_proj"], "all-linear", None),
        ([".*q_proj"], None, None),
    ],
)
def test_an_engine_computes_lora_in_the_layers_that_an_adapter_changes(
    tmp_path: Path, first: list[str], second: object, layers: list[str] | None
) -> None:
    folders = [adapter(tmp_path / "one", target_modules=first), adapter(tmp_path / "two", target_modules=second)]
    arguments = engine_arguments("x", {**DEFAULTS, "model": "x", "engine": {}}, room_for([str(one) for one in folders]))
    assert arguments.get("lora_target_modules") == layers


def test_the_engine_s_process_is_spawned_and_the_environment_is_as_before_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VLLM_LOGGING_LEVEL", "DEBUG")
    monkeypatch.delenv("VLLM_BATCH_INVARIANT", raising=False)
    before = dict(os.environ)
    with environment_of({"batch_invariant": True}):
        assert os.environ["VLLM_WORKER_MULTIPROC_METHOD"] == "spawn"  # vLLM's default forks, which can hang for ever
        assert os.environ["VLLM_BATCH_INVARIANT"] == "1"
        assert os.environ["VLLM_LOGGING_LEVEL"] == "DEBUG"
        assert os.environ["CBTRUN_ENGINE_OF"] == str(os.getpid())
    assert dict(os.environ) == before


STUDY = """
cbtrun: 1
study: gpu
seed: 3
models:
  patient: {using: scripted-patient}
  tiny: {using: vllm, model: "cbtrun:tiny"}
personas:
  eval: {using: sampled, attributes: depression, count: 2}
arms:
  only: {therapist: tiny}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 2}
"""


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without vLLM and without a GPU."""
    monkeypatch.setattr(requirements, "gpu_memory", list)
    monkeypatch.setattr(requirements.importlib.util, "find_spec", {}.get)


def test_without_a_gpu_validate_passes_plan_warns_and_run_stops_before_any_work(
    study_project: Project, bare_machine: None
) -> None:
    project = study_project({"study.yaml": STUDY})
    assert project.run("validate", "study.yaml").code == 0
    plan = project.run("plan", "study.yaml")
    assert plan.code == 0
    assert "warning: models/tiny: there is no NVIDIA GPU here; a run here would stop before it starts" in plan.out
    run = project.run()
    assert (run.code, without_excerpts(run.err)) == (
        2,
        "study.yaml:7:17: models/tiny: vLLM is not installed here; pip install 'cbtrun[vllm]'\n"
        "study.yaml:7:17: models/tiny: there is no NVIDIA GPU here\n"
        "2 problems; nothing was run.\n",
    )
    assert not (project.folder / "runs").exists()


def test_a_model_that_no_stage_left_to_do_talks_to_needs_nothing(study_project: Project, bare_machine: None) -> None:
    unused = STUDY.replace("therapist: tiny", "therapist: patient2").replace(
        "models:\n", "models:\n  patient2: {using: scripted-patient}\n"
    )
    assert study_project({"study.yaml": unused}).run("plan", "study.yaml").out.count("warning") == 0


def test_engine_arguments_with_an_option_of_their_own_are_refused(study_project: Project) -> None:
    text = STUDY.replace('"cbtrun:tiny"}', '"cbtrun:tiny", engine: {max_num_seqs: 4}}')
    assert without_excerpts(study_project({"study.yaml": text}).run("validate", "study.yaml").err) == (
        "study.yaml:7:68: models/tiny/engine/max_num_seqs: 'max_num_seqs' is set by cbtrun or by an option of its own\n"
        "1 problem; nothing was run.\n"
    )


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("worker_extension_cls: evil.Worker", "unknown key 'worker_extension_cls'"),
        ("logits_processors: [evil.P]", "unknown key 'logits_processors'"),
        ("kv_transfer_config: {kv_connector_module_path: evil}", "unknown key 'kv_transfer_config'"),
        ("kv_events_config: {endpoint: 'tcp://evil'}", "unknown key 'kv_events_config'"),
        ("otlp_traces_endpoint: 'http://evil'", "unknown key 'otlp_traces_endpoint'"),
        ("data_parallel_address: evil", "unknown key 'data_parallel_address'"),
        ("distributed_executor_backend: evil.E", "unknown key 'distributed_executor_backend'"),
        ("io_processor_plugin: evil", "unknown key 'io_processor_plugin'"),
        ("hf_overrides: {auto_map: {}}", "unknown key 'hf_overrides'"),
        ("download_dir: /tmp", "unknown key 'download_dir'"),
        ("tokenizer_mode: custom", "unknown key 'tokenizer_mode'"),
        ("profiler_config: {torch_profiler_dir: /tmp}", "unknown key 'profiler_config'"),
        ("model_loader_extra_config: {a: 1}", "unknown key 'model_loader_extra_config'"),
        ("compilation_config: {backend: evil.B}", "unknown key 'backend'"),
        ("compilation_config: {inductor_passes: {p: evil.P}}", "unknown key 'inductor_passes'"),
        ("compilation_config: {cache_dir: /tmp}", "unknown key 'cache_dir'"),
        ("compilation_config: {custom_ops: ['evil.op']}", "expected text that matches"),
        ("speculative_config: {method: ngram, model: evil}", "unknown key 'model'"),
        ("speculative_config: {method: custom_class}", "expected"),
        ("attention_backend: CUSTOM", "expected one of"),
        ("block_size: evil", "expected one of"),
        ("seed: evil", "expected a whole number"),
    ],
)
def test_an_argument_that_names_python_another_machine_or_a_folder_is_refused_with_its_line(
    study_project: Project, argument: str, said: str
) -> None:
    text = STUDY.replace('"cbtrun:tiny"}', f'"cbtrun:tiny", engine: {{{argument}}}}}')
    outcome = study_project({"study.yaml": text}).run("validate", "study.yaml")
    assert outcome.code == 2
    assert outcome.err.startswith("study.yaml:7:")
    assert said in outcome.err


def test_arguments_that_studies_need_are_taken_and_reach_vllm(study_project: Project) -> None:
    engine = {
        "kv_offloading_size": 32,
        "cpu_offload_gb": 4.5,
        "block_size": 16,
        "enable_chunked_prefill": True,
        "seed": 1,
        "compilation_config": {"cudagraph_mode": "PIECEWISE", "cudagraph_capture_sizes": [1, 8], "mode": 3},
        "limit_mm_per_prompt": {"image": 0},
        "speculative_config": {"method": "ngram", "num_speculative_tokens": 4},
    }
    text = STUDY.replace('"cbtrun:tiny"}', f'"cbtrun:tiny", quantization: fp8, engine: {json.dumps(engine)}}}')
    assert study_project({"study.yaml": text}).run("validate", "study.yaml").code == 0
    assert engine_arguments("x", {**DEFAULTS, "engine": engine}, AdapterRoom()).items() >= engine.items()


def test_what_the_schema_does_not_name_never_reaches_vllm() -> None:
    options = {**DEFAULTS, "engine": {"worker_cls": "evil.W", "trust_remote_code": True, "seed": 1}}
    arguments = engine_arguments("x", options, AdapterRoom())
    assert ("worker_cls" in arguments, arguments["trust_remote_code"], arguments["seed"]) == (False, False, 1)


PARENT = """
import subprocess, sys, time
child = "import time; from cbtrun.plugins.vllm_models.orphans import end_with_parent; end_with_parent(); print(1, flush=True); time.sleep(60)"
process = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE)
process.stdout.readline()
print(process.pid, flush=True)
time.sleep(60)
"""


def test_an_engine_s_process_ends_when_its_run_is_killed() -> None:
    environment = {**os.environ, "CBTRUN_ENGINE_OF": "1"}
    run = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, env=environment)
    assert run.stdout is not None
    child = int(run.stdout.readline())
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdout.close()
    until = time.monotonic() + 30
    while _is_alive(child) and time.monotonic() < until:
        time.sleep(0.1)
    assert not _is_alive(child)


def _is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # vLLM and torch warn of each other, which is nothing of ours
@pytest.mark.skipif(not (importlib.util.find_spec("vllm") and gpu_memory()), reason="needs vLLM and an NVIDIA GPU")
def test_the_embedded_model_talks_through_vllm_and_keeps_to_a_schema() -> None:
    options = {**DEFAULTS, "model": "cbtrun:tiny", "max_model_len": 2048, "enforce_eager": True}
    model = vllm_model.open_model(ModelContext("m", {**options, "gpu_memory_utilization": 0.3}))
    schema = {"type": "object", "properties": {"tired": {"type": "boolean"}}, "required": ["tired"]}

    async def talk() -> tuple[str, str, str]:
        said = await model.reply(request(max_tokens=30))
        again = await model.reply(request(max_tokens=30))
        answer = await model.reply(request(max_tokens=30, schema=schema))
        await model.close()
        return said.text, again.text, answer.text

    said, again, answer = asyncio.run(talk())
    assert said
    assert said == again
    assert isinstance(json.loads(answer)["tired"], bool)
