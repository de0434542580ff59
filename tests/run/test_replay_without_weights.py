"""A study with tuned models gives the same bytes where neither its weights nor its adapters are."""

from __future__ import annotations

import lzma
import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from cbtrun.testing.projects import StudyProject
from tests.helpers.tiny_models import make_model
from tests.helpers.tune_study import talk

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LONG = "How have you been since we last met? " * 50
"""So long that a session of it outgrows its room, which the model's tokenizer tells."""
STUDY = f"""
cbtrun: 1
study: tuned
seed: 1
contains: none
models:
  patient: {{using: scripted-patient}}
  rater: {{using: lexical-rater}}
  smol: {{using: transformers, model: nobody/nothing, revision: {COMMIT}, threads: 1, group: 8, max_tokens: 12}}
personas: {{eval: {{using: sampled, attributes: depression, count: 2}}}}
corpus:
  talk:
    using: files
    path: talk.jsonl
    columns: {{transcript: id, messages: said}}
    speakers: {{T: therapist, P: patient}}
    checks: {{near_duplicates: 0}}
tune:
  good: {{using: sft, base: smol, corpus: talk, max_steps: 2, batch_size: 2, threads: 1, device: cpu, learning_rate: 0.01}}
arms:
  base: {{therapist: smol, system: "{LONG}", factors: {{tuning: none}}}}
  good: {{therapist: good, factors: {{tuning: good}}}}
sessions: {{using: dialogue, patient: patient, personas: eval, max_turns: 6, context: {{max_tokens: 1300, policy: drop-oldest}}}}
ratings: {{ctrs: {{using: rubric, rubric: ctrs, raters: [rater]}}}}
analysis: {{main: {{using: paired, pair_by: persona, outcome: ctrs.total, factor: tuning, levels: [good, none]}}}}
"""
FILES = ("study.yaml", "talk.jsonl", "mine.xz")
RUN = Path("runs/tuned")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> StudyProject:
    """A finished run on weights in a folder, and its export; the weights and the adapters are gone."""
    folder = tmp_path_factory.mktemp("published")
    base = make_model(tmp_path_factory.mktemp("weights") / "base", spread=0.05)
    (folder / "study.yaml").write_text(STUDY)
    (folder / "talk.jsonl").write_text(talk())
    project = StudyProject(folder)
    outcome = project.run("study.yaml", "--set", f"models.smol.model={base}")
    assert outcome.code == 0, outcome.err
    assert project.run("journal", "export", str(RUN), "mine.xz").code == 0
    shutil.rmtree(base)
    return project


@pytest.fixture
def elsewhere(published: StudyProject, tmp_path: Path) -> StudyProject:
    """Another folder with the study and the imported export."""
    for name in FILES:
        shutil.copy(published.folder / name, tmp_path)
    project = StudyProject(tmp_path)
    said = project.run("journal", "import", str(RUN), "mine.xz").out
    assert "with what tells 4 models and 1 tuning from others" in said
    return project


def results(project: StudyProject) -> bytes:
    return (project.folder / RUN / "results.json").read_bytes()


def test_the_file_as_it_stands_gives_the_same_bytes_and_says_what_was_not_opened(
    published: StudyProject, elsewhere: StudyProject
) -> None:
    outcome = elsewhere.run("study.yaml", "--offline")
    assert outcome.code == 0, outcome.err
    assert results(elsewhere) == results(published)
    assert "replayed: tune.good as the journal has them: 1 adapter, not trained and not opened here" in outcome.err
    assert "smol, good not opened: the replies are those of weights " in outcome.err
    assert f"in place of nobody/nothing at {COMMIT[:12]}; whether they are the same nobody has looked" in outcome.err
    told = yaml.safe_load((elsewhere.folder / RUN / "study.lock.yaml").read_text())["replayed"]
    assert told["sessions"]["smol"]["named"] == {"model": "nobody/nothing", "revision": COMMIT}
    assert told["sessions"]["good"]["adapter"] == told["tune.good"]["adapters"][0]
    again = elsewhere.run("study.yaml", "--offline")
    assert "Nothing to do" in again.out
    assert yaml.safe_load((elsewhere.folder / RUN / "study.lock.yaml").read_text())["replayed"] == told


@pytest.mark.parametrize("model", ["./gone", "/nowhere/at/all"])
def test_a_reader_may_name_a_folder_that_is_not_there(
    published: StudyProject, elsewhere: StudyProject, model: str
) -> None:
    assert elsewhere.run("study.yaml", "--offline", "--set", f"models.smol.model={model}").code == 0
    assert results(elsewhere) == results(published)
    assert elsewhere.run("study.yaml", "--set", f"models.smol.model={model}", "--redo", "sessions").code == 2


def test_what_a_model_counted_is_known_without_its_tokenizer(published: StudyProject, elsewhere: StudyProject) -> None:
    assert "dropped_context: therapist" in (published.folder / RUN / "sessions.jsonl").read_text()
    elsewhere.run("study.yaml", "--offline")
    said = [(one.folder / RUN / "sessions.jsonl").read_bytes() for one in (published, elsewhere)]
    assert said[0] == said[1]


def test_a_call_that_is_missing_is_named_and_asked_of_nobody(elsewhere: StudyProject) -> None:
    with sqlite3.connect(elsewhere.folder / RUN / "journal.sqlite") as journal:
        one = "SELECT key FROM calls WHERE model = 'good' AND tokens_in > 0 LIMIT 1"
        journal.execute(f"DELETE FROM calls WHERE key IN ({one})")
    journal.close()
    outcome = elsewhere.run("study.yaml", "--offline")
    assert outcome.code == 3
    assert "failed: sessions good/" in outcome.err
    assert "this call is not in the journal and the run is offline (therapist, turn " in outcome.err
    assert "needs the model's weights: run it where they are, without --offline" in outcome.err


def test_a_model_of_other_settings_is_not_answered_for(elsewhere: StudyProject) -> None:
    outcome = elsewhere.run("study.yaml", "--offline", "--set", "models.smol.temperature=0.1")
    assert outcome.code == 2
    assert "tune.good: what the journal keeps of it was made from another base model's block" in outcome.err
    (elsewhere.folder / "untuned.yaml").write_text(STUDY.replace("max_tokens: 12", "max_tokens: 13"))
    untuned = ["tune=null", "arms.good=null", "analysis=null", "study=tuned"]
    sets = [part for one in untuned for part in ("--set", one)]
    outcome = elsewhere.run("untuned.yaml", "--offline", "--take-over", *sets)
    assert outcome.code == 3
    assert "model 'smol': the journal keeps replies of it with other settings or another adapter" in outcome.err
    assert elsewhere.run("study.yaml", "--offline", "--take-over").code == 0  # nothing was taken away


def test_no_weight_no_word_of_the_corpus_and_no_folder_is_in_an_export(published: StudyProject) -> None:
    text = lzma.decompress((published.folder / "mine.xz").read_bytes()).decode()
    assert "adapters/good/seed-1/adapter.lock.yaml" in text
    for word in ("safetensors", "words.json", str(published.folder.parent), "nobody would miss me at work"):
        assert word not in text


def test_without_offline_a_replayed_stage_is_read_again_where_the_weights_are(elsewhere: StudyProject) -> None:
    """A replayed stage does not pass for one that was made here."""
    elsewhere.run("study.yaml", "--offline")
    with sqlite3.connect(elsewhere.folder / RUN / "journal.sqlite") as journal:
        codes = dict(journal.execute("SELECT stage, code FROM stages"))
    journal.close()
    assert codes["sessions"].startswith("replayed ")
    assert "tune.good" not in codes
    assert not codes["ratings.ctrs"].startswith("replayed ")


def test_an_engine_that_cannot_be_installed_is_not_asked_for(tmp_path: Path) -> None:
    """VLLM on a machine with a GPU, replayed on one that has neither."""
    from cbtrun.cli.shared import load
    from cbtrun.files.run_folder import RunFolder
    from cbtrun.journal.journal import Journal
    from cbtrun.run.kept_models import KeptModels

    class Vllm:
        identity: Mapping[str, str] = {"plugin": "vllm", "weights": "0" * 64}

    study = STUDY.replace("using: transformers", "using: vllm").replace(", threads: 1, group: 8", "", 1)
    project = StudyProject(tmp_path)
    (tmp_path / "study.yaml").write_text(study)
    (tmp_path / "talk.jsonl").write_text(talk())
    sets = ("tune=null", "arms.good=null", "analysis=null")
    (tmp_path / RUN).mkdir(parents=True)
    checked, registry = load(tmp_path / "study.yaml", sets, allow_local=False, opens_models=False)
    with Journal(RunFolder(tmp_path / RUN).journal) as journal:
        KeptModels(checked, registry, journal, lambda name: None).note("smol", Vllm(), "code")  # type: ignore[arg-type]  # noqa: ARG005
    outcome = project.run("study.yaml", "--offline", *(part for one in sets for part in ("--set", one)))
    assert outcome.code == 3
    assert "model 'smol': this call is not in the journal" in outcome.err
    assert "smol not opened: the replies are those of nobody/nothing at 0123456789ab" in outcome.err
