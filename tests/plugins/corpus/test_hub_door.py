"""A data set is tables in its own folder: what asks for more is refused with its line, and its words stay in no cache."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cbtrun.errors import StageError
from cbtrun.plugins.corpus import hub
from cbtrun.plugins.corpus.hub_door import card_problems, check_builder, folder_problems
from cbtrun.testing.projects import StudyProject
from tests.helpers.excerpts import without_excerpts

Project = Callable[[Mapping[str, str]], StudyProject]
STUDY = """
cbtrun: 1
study: hub
contains: none
models: {patient: {using: scripted-patient}, tiny: {using: transformers, model: "cbtrun:tiny"}}
personas: {eval: {using: sampled, attributes: depression, count: 1}}
corpus:
  real:
    using: hub
    name: NAME
    revision: "0000000000000000000000000000000000000000"
    MORE
    columns: {transcript: id, speaker: who, text: said}
    speakers: {T: therapist, P: patient}
arms: {one: {therapist: tiny}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 2}
"""
ROWS = [
    {"id": f"s{n}", "who": "TP"[turn % 2], "said": f"It is a secret word {turn}."}
    for n in range(3)
    for turn in range(4)
]


def study(name: str = "someone/sessions", more: str = "path: ./set") -> str:
    """The study with another name or option of its data set."""
    return STUDY.replace("NAME", name).replace("MORE", more)


@pytest.fixture
def project(study_project: Project) -> StudyProject:
    """A study of a data set whose files lie beside it."""
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    return study_project({"study.yaml": study(), "set/train.jsonl": lines})


def test_a_data_set_of_tables_passes(project: StudyProject) -> None:
    project.write("set/README.md", "---\nconfigs:\n- config_name: a\n  data_files: '*.jsonl'\n---\n# Words\n")
    assert project.run("validate", "study.yaml").err == ""


@pytest.mark.parametrize("name", ["pandas", "sql", "./evil.py", "/abs/x", "a/b/c", "../up/x", "x/y.py/"])
def test_a_name_that_is_no_data_set_on_the_hub_is_refused(project: StudyProject, name: str) -> None:
    project.write("study.yaml", study(name))
    assert without_excerpts(project.run("validate", "study.yaml").err) == (
        f"study.yaml:10:11: corpus/real/name: expected OWNER/NAME of a data set on the hub, got the word '{name}'\n"
        "1 problem; nothing was run.\n"
    )


@pytest.mark.parametrize(
    "name", ["a.pkl", "x/data.pickle", "w.tar", "w.pth", "set.py", "a.npy", "a.zip", "a.arrow", "a.h5", "A.PKL"]
)
def test_a_file_that_could_run_code_is_refused_by_validate(project: StudyProject, name: str) -> None:
    project.write(f"set/{name}", "x")
    outcome = project.run("validate", "study.yaml")
    assert outcome.code == 2
    assert outcome.err.startswith(f"study.yaml:12:11: corpus/real/path: {name} is of a kind that can run code")
    assert "formats that are read: csv, tsv, json, jsonl, ndjson, parquet" in outcome.err


@pytest.mark.parametrize(
    "place", ["../secret.csv", "/etc/passwd", "https://evil.example/x.csv", "~/x.csv", "zip://a::x"]
)
@pytest.mark.parametrize("form", ["'{}'", "['{}']", "[{{split: train, path: ['{}']}}]"])
def test_a_card_that_names_files_elsewhere_is_refused(project: StudyProject, place: str, form: str) -> None:
    project.write("set/README.md", f"---\nconfigs:\n- config_name: a\n  data_files: {form.format(place)}\n---\n")
    outcome = project.run("validate", "study.yaml")
    assert outcome.err.splitlines()[0] == (
        f"study.yaml:12:11: corpus/real/path: README.md names a place outside the data set: '{place}'"
    )


@pytest.mark.parametrize(
    ("card", "said"),
    [
        (
            "---\nconfigs:\n- {config_name: a, data_dir: ../x}\n---\n",
            "README.md names a place outside the data set: '../x'",
        ),
        ("---\nconfigs:\n- {config_name: a, converters: {x: y}}\n---\n", "README.md: 'converters' is not taken"),
        ("---\nconfigs: {a: 1}\n---\n", "README.md cannot be read as the card"),
        ("---\nconfigs: [1]\n---\n", "README.md: a configuration that is no mapping"),
        ("---\na: !!python/object/apply:os.system [x]\n---\n", "README.md cannot be read as the card"),
        ("---\na: &a [x]\nb: [*a, *a]\n---\n", "README.md cannot be read as the card"),
    ],
)
def test_a_card_is_read_as_plain_values_of_tables(tmp_path: Path, card: str, said: str) -> None:
    path = tmp_path / "README.md"
    path.write_text(card)
    assert [one for one in card_problems(path) if said in one]


def test_a_link_out_of_the_data_set_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").touch()
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.csv").symlink_to(tmp_path / "secret.csv")
    assert list(folder_problems(tmp_path / "set")) == ["a.csv is a link to a file outside the data set's folder"]


@pytest.mark.parametrize("cache", ["/tmp/elsewhere", "../up", "~/x", "link/x"])
def test_a_cache_outside_the_folder_one_stands_in_is_refused(project: StudyProject, cache: str) -> None:
    (project.folder / "link").symlink_to("/tmp")
    project.write("study.yaml", study(more=f"path: ./set\n    cache: {cache}"))
    outcome = project.run("validate", "study.yaml")
    if cache.startswith("~"):  # no home is meant: a folder of that name, inside
        assert outcome.code == 0
        return
    assert outcome.err.splitlines()[0] == (
        "study.yaml:13:12: corpus/real/cache: must lie inside the folder you stand in; for another set HF_HOME yourself"
    )


def test_a_folder_here_that_has_the_name_of_a_data_set_on_the_hub_is_not_taken_for_it(project: StudyProject) -> None:
    project.write("someone/sessions/a.csv", "id\n1\n")
    project.write("study.yaml", study(more=""))
    assert "there is a folder of this name here" in project.run("validate", "study.yaml").err


def context(project: StudyProject, **options: Any) -> Any:
    """A corpus stage at work on the project's data set."""
    given = {
        "name": "someone/sessions",
        "revision": "0" * 40,
        "split": "train",
        "path": str(project.folder / "set"),
        "columns": {"transcript": "id", "speaker": "who", "text": "said"},
        "speakers": {"T": "therapist", "P": "patient"},
        "system": "",
        **options,
    }
    return SimpleNamespace(options=given, folder=project.folder / "run")


def test_words_of_a_local_data_set_are_left_nowhere_else(project: StudyProject) -> None:
    table = hub._table(context(project).options)
    assert len(table.rows) == 12
    left = [path for path in project.folder.rglob("*") if path.is_file() and b"secret word" in path.read_bytes()]
    assert left == [project.folder / "set" / "train.jsonl"]


def test_a_pickled_table_does_not_run_even_past_validate(project: StudyProject) -> None:
    class Sings:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(project.folder / "PWNED"),)

    (project.folder / "set" / "train.pkl").write_bytes(pickle.dumps(Sings()))
    with pytest.raises(StageError, match=r"train\.pkl is of a kind that can run code"):
        hub._table(context(project).options)
    assert not (project.folder / "PWNED").exists()


@pytest.mark.parametrize(
    ("reader", "file", "said"),
    [
        ("pandas", "set/a.pkl", r"of the format \['pandas'\]; formats that are read"),
        ("webdataset", "set/a.tar", r"of the format \['webdataset'\]"),
        ("csv", "/etc/passwd", "names a file outside it: /etc/passwd"),
        ("csv", "https://evil.example/a.csv", "names a file outside it"),
    ],
)
def test_reader_and_files_are_looked_at_before_any_is_opened(reader: str, file: str, said: str) -> None:
    made = type("Builder", (), {"__module__": f"datasets.packaged_modules.{reader}.{reader}"})()
    made.config = SimpleNamespace(data_files={"train": [file]})
    with pytest.raises(StageError, match=said):
        check_builder(made, "a/b", "hf://datasets/a/b@")
