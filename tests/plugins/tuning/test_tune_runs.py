"""Tuning through the command line: plan, failures, export."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.plugins.local_models import gpus
from cbtrun.plugins.local_models.model_files import without_known_warnings
from cbtrun.plugins.tuning import tune_requirements
from cbtrun.plugins.tuning.tune_requirements import lacking
from cbtrun.study.origins import TAUGHT
from cbtrun.testing.projects import StudyProject
from tests.helpers.tune_study import STUDY, tune_project

Make = Callable[[Mapping[str, str]], StudyProject]


@pytest.fixture
def project(study_project: Callable[..., StudyProject], tmp_path: Path) -> StudyProject:
    return tune_project(study_project, tmp_path)


def test_one_familys_failure_does_not_stop_the_other(project: StudyProject) -> None:
    weights = project.folder / "other" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    outcome = project.run()
    assert outcome.code == 3
    assert re.search(r"failed: tune\.broken: model .* cannot be opened", outcome.err)
    assert (project.folder / "runs/tuned/adapters/good/seed-1/adapter.lock.yaml").exists()
    assert not (project.folder / "runs/tuned/adapters/broken/adapters.jsonl").exists()


def test_a_merged_model_says_what_the_base_with_its_adapter_says(project: StudyProject) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    project.run()
    outcome = project.run("export", "runs/tuned", "good", "--merge", "--to", "merged")
    assert outcome.code == 0
    assert "merged: merged model 'good', with its card (README.md)" in outcome.out
    merged = AutoModelForCausalLM.from_pretrained(project.folder / "merged").eval()
    base = AutoModelForCausalLM.from_pretrained(project.folder / "base")
    with without_known_warnings():
        adapted = PeftModel.from_pretrained(base, project.folder / "runs/tuned/adapters/good/seed-1").eval()
    tokens = torch.arange(5, 60)[None]
    with torch.no_grad():
        torch.testing.assert_close(merged(tokens).logits, adapted(tokens).logits, rtol=1e-4, atol=1e-4)
        with adapted.disable_adapter():
            assert (merged(tokens).logits - adapted(tokens).logits).abs().max() > 1e-4
    assert AutoTokenizer.from_pretrained(project.folder / "merged").chat_template
    assert [path.suffix for path in (project.folder / "merged").glob("*model*")] == [".safetensors"]


def test_an_adapter_is_exported_by_itself_into_the_run_folder(project: StudyProject) -> None:
    project.run()
    assert project.run("export", "runs/tuned", "good").code == 0
    names = sorted(path.name for path in (project.folder / "runs/tuned/exports/good").iterdir())
    note = TAUGHT  # nobody has said that nobody real speaks in its corpus, a file
    assert names == ["README.md", "adapter.lock.yaml", "adapter_config.json", "adapter_model.safetensors", note]
    again = project.run("export", "runs/tuned", "good")
    assert (again.code, "there is something already" in again.err) == (2, True)


def test_exporting_what_is_not_there_names_what_is(project: StudyProject) -> None:
    project.run()
    outcome = project.run("export", "runs/tuned", "nobody")
    assert (outcome.code, outcome.err) == (2, "runs/tuned: no adapter 'nobody'; there are: broken, good\n")


def test_a_base_that_has_changed_is_not_merged_into(project: StudyProject) -> None:
    project.run()
    config = project.folder / "base" / "config.json"
    config.write_text(config.read_text() + "\n")
    outcome = project.run("export", "runs/tuned", "good", "--merge")
    assert (outcome.code, "is not the base that the adapter was trained on" in outcome.err) == (2, True)


def test_a_plan_says_what_memory_a_tuning_needs_and_what_is_there(
    project: StudyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "gpu_memory", lambda: [0.5])
    project.write("study.yaml", STUDY.replace(", device: cpu", ""))
    out = project.run("plan", "study.yaml").out
    assert re.search(
        r"tune\.good: needs about 0\.8 GiB \(weights .*\); each GPU here has 0\.5 GiB, which may not be enough; "
        r"what helps: checkpointing: true; ",
        out,
    )


def test_a_training_that_cannot_fit_is_refused_before_it_starts(
    project: StudyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "gpu_memory", lambda: [0.5])
    project.write("study.yaml", STUDY.replace(", device: cpu", ""))
    outcome = project.run()
    assert outcome.code == 3
    assert re.search(r"tune\.good: the training needs about .* of GPU memory, and there are 0\.5 GiB", outcome.err)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("report_to: [mlflow]", "report_to: mlflow is not installed; pip install mlflow"),
        ("liger: true", "liger: true needs Liger's kernels; pip install 'cbtrun[liger]'"),
        ("quantisation: nf4", "quantisation: nf4 needs an NVIDIA GPU, and there is none here"),
    ],
)
def test_what_a_job_needs_and_the_machine_lacks_stops_a_run_before_any_work(
    project: StudyProject, monkeypatch: pytest.MonkeyPatch, option: str, said: str
) -> None:
    monkeypatch.setattr(tune_requirements, "find_spec", lambda _: None)
    monkeypatch.setattr(tune_requirements, "visible_gpus", lambda _: ())
    project.write("study.yaml", STUDY.replace("learning_rate: 0.01", option))
    outcome = project.run()
    assert outcome.code == 2
    assert f"study.yaml:{STUDY[: STUDY.index('  good:')].count(chr(10)) + 1}:" in outcome.err
    assert said in outcome.err
    assert not (project.folder / "runs").exists()
    assert project.run("validate", "study.yaml").code == 0
    assert f"warning: tune/good: {said}" in project.run("plan", "study.yaml").out


def test_a_tracker_gets_the_curves(project: StudyProject) -> None:
    """TensorBoard's own files, by way of transformers' report_to."""
    pytest.importorskip("tensorboard")
    project.write(
        "study.yaml", STUDY.replace("learning_rate: 0.01", "report_to: [tensorboard]").replace("  broken", "  # broken")
    )
    assert project.run().code == 0
    (events,) = project.folder.rglob("events.out.tfevents.*")
    assert b"train/loss" in events.read_bytes()


def test_a_tracker_takes_no_server_from_a_file_that_came_with_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"quantisation": "none", "liger": False, "report_to": ["wandb"], "device": "cpu", "devices": 1}
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_DIR", raising=False)
    before = lacking(options)
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "settings").write_text("[default]\nbase_url = https://evil.example\n")
    (new,) = [one for one in lacking(options) if one not in before]
    assert "would take its server from ./wandb/settings" in new
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    assert lacking(options) == before


@pytest.mark.parametrize("using", ["transformers", "vllm"])
def test_a_spec_cannot_let_a_models_own_code_run(project: StudyProject, using: str) -> None:
    for option in ("trust_remote_code: true", "engine: {trust_remote_code: true}"):
        project.write(
            "study.yaml",
            STUDY.replace(
                "{using: transformers, model: ./base, threads: 1}", f"{{using: {using}, model: ./base, {option}}}"
            ),
        )
        outcome = project.run("validate", "study.yaml")
        assert outcome.code == 2
        assert "trust_remote_code" in outcome.err or "unknown key 'engine'" in outcome.err
