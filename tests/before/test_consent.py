"""Words of real people leave the machine only with consent: by whatever route, and whoever says that nobody is real."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from cbtrun.calls.calls import CallDesk, OpenModels, Tally
from cbtrun.contract.models import ChatMessage, Draw, Reply, Request
from cbtrun.documents.yaml_source import Located, Node
from cbtrun.errors import ConsentMissing, Place
from cbtrun.journal.journal import Journal
from cbtrun.plugins import tiny
from cbtrun.plugins.mock_server.in_thread import listening
from cbtrun.plugins.mock_server.server import MockServer
from cbtrun.study.model_kinds import is_remote
from cbtrun.study.origins import mark_taught
from cbtrun.study.references import Reference
from cbtrun.study.spec import Study
from cbtrun.testing.projects import StudyProject

Make = Callable[[Mapping[str, str]], StudyProject]

TURNS = "session,speaker,text\n1,therapist,Hello HANNAH.\n1,patient,I am HANNAH of Main Street.\n1,therapist,Go on.\n1,patient,I lie awake.\n"
MAPPING = (
    "columns: {session: session, speaker: speaker, text: text}, speakers: {therapist: therapist, patient: patient}"
)
CORPUS = MAPPING.replace("session: session", "transcript: session")
PERSON = {
    "id": "h", "name": "HANNAH", "age": 40, "gender": "woman", "occupation": "nurse", "living_situation": "alone",
    "presenting_problem": "HANNAH cannot sleep", "phq9": 12, "symptoms": ["I wake at four"],
    "situations": [{"event": "my son left", "thought": "I failed", "feeling": "sad", "behaviour": "I stayed in bed"}],
    "automatic_thoughts": ["I failed"], "intermediate_beliefs": [], "core_beliefs": ["I am a failure"],
    "distortions": ["labelling"], "history": "It began in spring.", "strengths": ["my sister"], "goals": ["sleep"],
    "engagement_style": "open", "disclosure_style": "immediate", "speech": "short",
}  # fmt: skip
MODELS = """
models:
  remote: {using: openai, base_url: "${MOCK_URL}", model: m, limits: {tries: 1, first_wait_seconds: 0.001}}
  patient: {using: scripted-patient}
  careful: {using: careful-control}
  lexical: {using: lexical-rater}
  tiny: {using: transformers, model: "cbtrun:tiny"}
"""
IMPORTED = f"sessions: {{using: import, path: real.csv, {MAPPING}}}\n"
RATED = "ratings: {ctrs: {using: rubric, rubric: ctrs, raters: [remote]}}\n"
FILE_CORPUS = f"corpus: {{real: {{using: files, path: real.csv, {CORPUS}}}"
PEOPLE = "personas: {eval: {using: files, path: people.jsonl}}\n"
DIALOGUE = "sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 2}\n"
TUNE = "tune: {theirs: {using: sft, base: tiny, corpus: real, lora: {rank: 4, alpha: 8}, max_steps: 1, seeds: [1]}}\n"

ROUTES = {
    "ratings of imported sessions": IMPORTED + RATED,
    "a corpus compared turn by turn": FILE_CORPUS
    + ", pairs: {using: compared-turns, sessions: real, therapist: remote, rater: remote, rubric: ctrs}}\n",
    "a remote rater of compared turns alone": FILE_CORPUS
    + ", pairs: {using: compared-turns, sessions: real, therapist: careful, rater: remote, rubric: ctrs}}\n",
    "a remote therapist for personas from a file": PEOPLE + "arms: {one: {therapist: remote}}\n" + DIALOGUE,
    "a remote patient for personas from a file": PEOPLE
    + "arms: {one: {therapist: careful}}\n"
    + DIALOGUE.replace("patient: patient", "patient: remote"),
    "an arm's own patient": PEOPLE + "arms: {one: {therapist: careful, patient: remote}}\n" + DIALOGUE,
    "a course written from personas of a file": "personas: {train: {using: files, path: people.jsonl}}\n"
    "corpus: {c: {using: written-course, author: remote, personas: train, course: depression-20, register: cbt, sessions: [1]}}\n",
    "a rater of a model tuned on real sessions": FILE_CORPUS
    + "}\n"
    + TUNE
    + "personas: {eval: {using: sampled, attributes: depression, count: 1}}\narms: {one: {therapist: theirs}}\n"
    + DIALOGUE
    + RATED,
}
DECLARED = {
    "personas written about people": 'personas: {w: {using: written, author: remote, count: 1, about: "A person like HANNAH of Main Street"}}\n',
    "a prompt about people": "personas: {eval: {using: sampled, attributes: depression, count: 1}}\n"
    'arms: {one: {therapist: remote, system: "You know HANNAH."}}\n' + DIALOGUE,
}


def files_with(study: str, **more: str) -> dict[str, str]:
    """The files of a project whose study has these blocks."""
    return {
        "study.yaml": "cbtrun: 1\nstudy: people\n" + MODELS + study,
        "real.csv": TURNS,
        "people.jsonl": json.dumps(PERSON) + "\n",
        **more,
    }


def heard_in(
    study_project: Make, files: dict[str, str], monkeypatch: pytest.MonkeyPatch, *args: str
) -> tuple[int, str, str]:
    """Exit code, what was said, and everything that the server was sent."""
    with listening(MockServer()) as server:
        monkeypatch.setenv("MOCK_URL", server.url)
        outcome = study_project(files).run("study.yaml", *args)
        sent = json.dumps(server.bodies)
    return outcome.code, outcome.err, sent


@pytest.mark.parametrize("said", ["", "contains: real-people\n"])
@pytest.mark.parametrize("route", ROUTES)
def test_no_route_leads_real_peoples_words_to_a_remote_model_without_consent(
    study_project: Make, monkeypatch: pytest.MonkeyPatch, route: str, said: str
) -> None:
    code, err, sent = heard_in(study_project, files_with(said + ROUTES[route]), monkeypatch)
    assert code == 2, err
    assert "would send words of real people to the remote model 'remote'" in err
    assert "--consent-remote" in err
    assert "HANNAH" not in sent


@pytest.mark.parametrize("route", DECLARED)
def test_a_study_that_declares_real_people_keeps_its_prompts_here_too(
    study_project: Make, monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    code, err, sent = heard_in(study_project, files_with("contains: real-people\n" + DECLARED[route]), monkeypatch)
    assert code == 2, err
    assert "the study says `contains: real-people`" in err
    assert "HANNAH" not in sent


def test_with_consent_the_words_are_sent(study_project: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    files = files_with("contains: real-people\n" + IMPORTED + RATED)
    _, err, sent = heard_in(study_project, files, monkeypatch, "--consent-remote")
    assert "HANNAH" in sent, err


HIDES = {
    "a child names the data of a base that says none": (
        {"study.yaml": "extends: base.yaml\nsessions: {path: real.csv}\n", "base.yaml": "contains: none\n"}, ()),
    "the command line names the data of a file that says none": (
        {"study.yaml": "extends: base.yaml\ncontains: none\n", "base.yaml": "contains: none\n"},
        ("--set", "sessions.path=real.csv")),
    "a child says none of data that its base names": (
        {"study.yaml": "extends: base.yaml\ncontains: none\n", "base.yaml": ""}, ()),
    "a child says none though its base says real-people": (
        {"study.yaml": "extends: base.yaml\ncontains: none\n", "base.yaml": "contains: real-people\n"}, ()),
    "a child takes the declaration of its base out": (
        {"study.yaml": "extends: base.yaml\ncontains: null\n", "base.yaml": "contains: real-people\n"}, ()),
    "the command line takes the declaration out": (
        {"study.yaml": "extends: base.yaml\n", "base.yaml": "contains: real-people\n"}, ("--set", "contains=null")),
    "the command line raises what the file denies": (
        {"study.yaml": "extends: base.yaml\n", "base.yaml": "contains: none\n"}, ("--set", "contains=real-people")),
}  # fmt: skip


@pytest.mark.parametrize("way", HIDES)
def test_only_who_names_the_data_may_say_that_nobody_is_real(
    study_project: Make, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    files, args = HIDES[way]
    files = files_with("", **files)
    files["base.yaml"] = "cbtrun: 1\nstudy: people\n" + MODELS + IMPORTED + RATED + files["base.yaml"]
    code, err, sent = heard_in(study_project, files, monkeypatch, *args)
    assert code == 2, err
    assert "would send words of real people" in err
    assert "HANNAH" not in sent


@pytest.mark.parametrize(
    ("said", "args"),
    [
        ("contains: none\n", ()),
        ("", ("--set", "contains=none")),
        ("contains: real-people\n", ("--set", "contains=none")),
    ],
)
def test_who_names_the_data_or_the_command_line_may_say_so(
    study_project: Make, monkeypatch: pytest.MonkeyPatch, said: str, args: tuple[str, ...]
) -> None:
    _, err, sent = heard_in(study_project, files_with(said + IMPORTED + RATED), monkeypatch, *args)
    assert "HANNAH" in sent, err


def test_shipped_personas_and_plans_are_nobodys_words(study_project: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    study = "personas: {eval: {using: files, path: eval-120, first: 1}}\narms: {one: {therapist: remote}}\n" + DIALOGUE
    code, err, sent = heard_in(study_project, files_with(study), monkeypatch)
    assert "would send" not in err
    assert len(sent) > 100, (code, err)


def test_the_desk_holds_a_request_back_whatever_asked(tmp_path: Path) -> None:
    import asyncio

    asked: list[Request] = []

    class Far:
        identity: ClassVar = {"name": "far"}

        async def reply(self, request: Request) -> Reply:
            asked.append(request)
            return Reply("yes")

        async def close(self) -> None:
            pass

    with Journal(tmp_path / "journal.sqlite") as journal:
        desk = CallDesk(journal, 1, "corpus.theirs", Tally(), withheld=lambda model: f"would send words to '{model}'")
        models = OpenModels(desk, lambda _: Far())

        async def ask() -> None:
            async with models.use("far") as calls:
                await calls.reply(Request((ChatMessage("user", "HANNAH"),), Draw("rater", "x")))

        with pytest.raises(ConsentMissing, match="would send words to 'far'"):
            asyncio.run(ask())
    assert asked == []


def test_a_model_that_was_tuned_on_real_people_elsewhere_counts_as_theirs(
    study_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = (
        "personas: {eval: {using: sampled, attributes: depression, count: 1}}\narms: {one: {therapist: taught}}\n"
        + DIALOGUE
        + RATED
    )
    models = 'models:\n  taught: {using: transformers, model: "./taught"}\n'
    files = files_with(study)
    files["study.yaml"] = files["study.yaml"].replace("models:\n", models, 1)
    project = study_project(files)
    shutil.copytree(Path(str(tiny.__file__)).with_name("model"), project.folder / "taught")
    mark_taught(project.folder / "taught")
    monkeypatch.setenv("MOCK_URL", "http://127.0.0.1:9/v1")
    outcome = project.run("study.yaml")
    assert outcome.code == 2
    assert "(the model 'taught' was tuned on words of real people)" in outcome.err


class Schemas:
    """The registry's part that is asked: which plugins are remote."""

    def schema(self, stage: str, using: str) -> dict[str, bool]:
        return {"x-remote": using == "far"}


def tuned() -> Study:
    """A study with a tune job on a remote base and one on a near one."""
    data = {
        "models": {"a": {"using": "far"}, "b": {"using": "near"}},
        "tune": {"t": {"base": "a"}, "u": {"base": "b"}},
    }
    bases = (Reference("models", "a", ("tune", "t", "base")), Reference("models", "b", ("tune", "u", "base")))
    return Study(data, Path("x.yaml"), Located(Node({}, Place("x.yaml")), "x.yaml"), {}, bases, {})


def test_a_tune_job_is_as_remote_as_its_base() -> None:
    found = [is_remote(tuned(), Schemas(), name) for name in ("a", "b", "t@1", "u")]  # type: ignore[arg-type]
    assert found == [True, False, True, False]
