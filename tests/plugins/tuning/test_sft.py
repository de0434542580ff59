"""The `sft` plugin: LoRA adapters from a corpus, for the therapist's turns alone, through kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from cbtrun.contexts import BlockContext
from cbtrun.contract.models import ChatMessage, ModelContext
from cbtrun.contract.records import Adapter, Message, Transcript
from cbtrun.errors import ModelError, Place, StageError
from cbtrun.plugins.local_models import transformers_model
from cbtrun.plugins.tuning import sft
from cbtrun.plugins.tuning.training_rows import UNTRAINED, training_rows
from tests.helpers.places import ROOT
from tests.helpers.tiny_models import SENTENCES, make_model, make_tokenizer
from tests.helpers.trainings import Tuning, defaults, tokenizer_of, trained_spans, transcript


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model, made once."""
    return make_model(tmp_path_factory.mktemp("base"), spread=0.05)


@pytest.fixture
def job(base: Path, tmp_path: Path) -> Tuning:
    return Tuning(tmp_path / "run" / "adapters" / "tuned", base)


@pytest.mark.parametrize("opens", ["therapist", "patient"])
def test_the_loss_sees_the_therapists_turns_with_their_end_and_nothing_else(base: Path, opens: str) -> None:
    tokenizer = tokenizer_of(base)
    session = transcript(1, 5, opens=opens)
    (row,) = training_rows(tokenizer, [session], 1024).rows
    said = [message.content for message in session.messages if message.role == "therapist"]
    assert list(trained_spans(tokenizer, row)) == [f"{content}<|end|>" for content in said]


def test_training_and_generation_use_the_same_tokens(base: Path) -> None:
    session = transcript(1, 4, opens="patient")
    (row,) = training_rows(tokenizer_of(base), [session], 1024).rows
    asked = [ChatMessage("system", "You listen.")]
    asked += [ChatMessage("user" if m.role == "patient" else "assistant", m.content) for m in session.messages[1:4]]
    options = {**defaults(transformers_model.SCHEMA), "model": str(base), "device": "cpu"}
    model = transformers_model.open_model(ModelContext("b", options))
    prompt = model._prompt_ids(asked)
    assert list(row.input_ids[: len(prompt)]) == prompt
    first_answered = row.labels[len(prompt)]
    assert first_answered == row.input_ids[len(prompt)]
    assert row.labels[len(prompt) - 1] == UNTRAINED


def test_a_long_session_is_split_between_turns_and_loses_no_word_of_the_therapist(base: Path) -> None:
    tokenizer = tokenizer_of(base)
    session = transcript(0, 20, opens="patient")
    rows = training_rows(tokenizer, [session], 300)
    assert rows.split == 1
    assert len(rows.rows) > 1
    assert max(len(row.input_ids) for row in rows.rows) <= 300
    said = [f"{message.content}<|end|>" for message in session.messages if message.role == "therapist"]
    assert [span for row in rows.rows for span in trained_spans(tokenizer, row)] == said
    assert all(tokenizer.decode(row.input_ids).startswith("<|system|>\nYou listen.") for row in rows.rows)


def test_an_exchange_longer_than_max_length_is_refused_with_both_numbers(base: Path) -> None:
    with pytest.raises(StageError, match=r"transcript 't0': one exchange has \d+ tokens and max_length is 20"):
        training_rows(tokenizer_of(base), [transcript(0)], 20)


def test_a_transcript_without_a_therapist_is_left_out_and_counted(base: Path) -> None:
    silent = Transcript(id="s", persona="p", messages=(Message(role="patient", content="Hello?"),))
    rows = training_rows(tokenizer_of(base), [silent, transcript(1)], 1024)
    assert (len(rows.rows), rows.untaught) == (1, 1)


def test_a_template_that_ends_no_turn_is_refused(tmp_path: Path) -> None:
    make_tokenizer(tmp_path, chat_template="{% for m in messages %}{{ m['role'] + ': ' + m['content'] }}{% endfor %}")
    from transformers import AutoTokenizer

    with pytest.raises(ModelError, match="ends no turn with an end-of-turn token"):
        training_rows(AutoTokenizer.from_pretrained(str(tmp_path)), [transcript(1)], 1024)


def test_a_template_whose_marks_leave_out_the_end_token_teaches_it_all_the_same(tmp_path: Path) -> None:
    template = (
        "{% for m in messages %}{{ '<|' + m['role'] + '|>' }}{% if m['role'] == 'assistant' %}"
        "{% generation %}{{ m['content'] }}{% endgeneration %}{{ '<|end|>' }}"
        "{% else %}{{ m['content'] + '<|end|>' }}{% endif %}{% endfor %}"
    )
    make_tokenizer(tmp_path, chat_template=template)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(tmp_path))
    (row,) = training_rows(tokenizer, [transcript(1)], 1024).rows
    taught = [token for token in row.labels if token >= 0]
    assert tokenizer.decode(taught[-1]) == "<|end|>"


def test_training_lowers_the_loss_and_writes_a_log_and_a_lock(job: Tuning) -> None:
    job.options["max_steps"] = 12
    (adapter,) = job.run()
    folder = job.folder / "seed-1"
    log = [json.loads(line) for line in (folder / "training-log.jsonl").read_text().splitlines()]
    lock = yaml.safe_load((folder / "adapter.lock.yaml").read_text())
    assert [entry["step"] for entry in log] == list(range(1, 13))
    assert log[-1]["loss"] < log[0]["loss"] - 0.5
    assert lock["adapter"] == adapter.digest
    assert lock["steps"] == 12
    assert lock["tokens_seen"] == log[-1]["tokens"] > log[0]["tokens"] > 0
    assert adapter == Adapter(name="tuned", base="b", folder="adapters/tuned/seed-1", digest=adapter.digest, seed=1)
    assert sorted(path.name for path in folder.iterdir()) == [
        "adapter.lock.yaml",
        "adapter_config.json",
        "adapter_model.safetensors",
        "probes.words.json",
        "prompt.words.json",
        "speed.jsonl",
        "training-log.jsonl",
    ]


def test_an_adapter_names_no_path_of_this_machine(job: Tuning) -> None:
    job.run()
    for path in (job.folder / "seed-1").glob("*.[jy]*"):
        assert str(job.base) not in path.read_text()


def test_progress_counts_the_steps_of_all_seeds(job: Tuning) -> None:
    job.options.update(seeds=[1, 2], max_steps=2)
    adapters = job.run()
    assert [adapter.name for adapter in adapters] == ["tuned@1", "tuned@2"]
    assert [(done, total) for done, total, _ in job.told if total] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert adapters[0].digest != adapters[1].digest


def test_a_finished_adapter_is_not_trained_again_and_a_new_seed_is(job: Tuning) -> None:
    job.options["max_steps"] = 2
    (first,) = job.run()
    job.told.clear()
    job.options.update(seeds=[1, 2], checkpoint_steps=1, threads=2)
    again, _ = job.run()
    assert again.digest == first.digest
    assert [done for done, total, _ in job.told if total] == [3, 4]


def test_another_learning_rate_trains_again(job: Tuning) -> None:
    job.options["max_steps"] = 2
    (first,) = job.run()
    job.options["learning_rate"] = 1e-3
    (second,) = job.run()
    assert first.digest != second.digest


def test_a_spoilt_adapter_is_trained_again(job: Tuning) -> None:
    job.options["max_steps"] = 2
    (first,) = job.run()
    with (job.folder / "seed-1" / "adapter_model.safetensors").open("ab") as file:
        file.write(b"x")
    assert job.run() == [first]
    assert len([one for one in job.told if one[1]]) == 4


def test_a_loss_that_is_not_a_number_stops_the_job_and_says_where(job: Tuning) -> None:
    job.options.update(learning_rate=1e30, clip=0, warmup_ratio=0, schedule="constant")
    with pytest.raises(StageError, match=r"the loss is (nan|inf) at step \d of 6"):
        job.run()
    assert not (job.folder / "seed-1" / "adapter.lock.yaml").exists()


def test_nothing_is_printed(job: Tuning, capfd: pytest.CaptureFixture[str]) -> None:
    job.options.update(max_steps=3, checkpoint_steps=1)
    job.run()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("train_embeddings", [False, True])
def test_the_tuned_model_talks_otherwise_than_its_base(job: Tuning, train_embeddings: bool) -> None:
    import asyncio

    from cbtrun.contract.models import Draw, Reply, Request

    job.options["lora"]["train_embeddings"] = train_embeddings
    job.options["max_steps"] = 40
    job.transcripts = [transcript(0, 2, opens="patient")] * 8
    (adapter,) = job.run()
    options = {**defaults(transformers_model.SCHEMA), "model": str(job.base), "device": "cpu", "temperature": 0}

    async def say(folder: str | None, digest: str | None) -> Reply:
        model = transformers_model.open_model(ModelContext("b", options, {}, folder, digest))
        said = (ChatMessage("system", "You listen."), ChatMessage("user", SENTENCES[0]))
        reply: Reply = await model.reply(Request(said, Draw("therapist", "p"), max_tokens=40))
        await model.close()
        return reply

    tuned = asyncio.run(say(str(job.folder / "seed-1"), adapter.digest))
    assert (tuned.text, tuned.finish) == (SENTENCES[1], "stop")
    assert asyncio.run(say(None, None)).text != tuned.text


def test_only_a_transformers_model_can_be_a_base(tmp_path: Path) -> None:
    def place(*_: str | int) -> Place:
        return Place("study.yaml", 9)

    study = {"models": {"api": {"using": "openai"}}}
    context = BlockContext("tune", "t", {"base": "api"}, study, tmp_path, place, place)
    (problem,) = sft.check_block(context)
    assert str(problem).startswith("study.yaml:9: tune/t/base: only a `transformers` or `vllm` model can be tuned")


CHILD = """
import sys
from pathlib import Path
from tests.helpers.trainings import Tuning
job = Tuning(Path(sys.argv[1]), Path(sys.argv[2]), {"max_steps": 30, "checkpoint_steps": 4, "lora": LORA})
job.run()
print(next(done for done, total, _ in job.told if total))
"""


def child(folder: Path, base: Path) -> subprocess.Popen[bytes]:
    """The same training in a process of its own."""
    lora = {**defaults(sft.SCHEMA)["lora"], "dropout": 0.1}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    code = CHILD.replace("LORA", repr(lora))
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(base)], env=environment, stdout=subprocess.PIPE
    )


def first_step(process: subprocess.Popen[bytes]) -> int:
    """The first step that a training took, once it is done."""
    told, _ = process.communicate()
    assert process.returncode == 0
    return int(told)


@pytest.mark.slow
def test_a_killed_training_goes_on_from_its_checkpoint_to_the_same_weights(base: Path, tmp_path: Path) -> None:
    undisturbed, killed = (tmp_path / name / "adapters" / "tuned" for name in ("undisturbed", "killed"))
    assert first_step(child(undisturbed, base)) == 1
    for step in (8, 16):
        process = child(killed, base)
        while process.poll() is None and not list(killed.glob(f"seed-1/*/checkpoint-{step}/complete")):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    half = next(killed.glob("seed-1/checkpoints-*")) / "checkpoint-28"
    half.mkdir()  # as if the kill had fallen into the writing of it
    assert first_step(child(killed, base)) > 16
    for name in ("adapter_model.safetensors", "adapter_config.json", "training-log.jsonl", "adapter.lock.yaml"):
        assert (killed / "seed-1" / name).read_bytes() == (undisturbed / "seed-1" / name).read_bytes(), name
