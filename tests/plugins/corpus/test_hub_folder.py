"""A data set's folder on this machine is read by our readers, split by split, and validate reads its rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cbtrun.errors import StageError
from cbtrun.plugins.corpus.hub_folder import local_table
from cbtrun.testing.projects import StudyProject

STUDY = """
cbtrun: 1
study: hub
contains: none
models: {tiny: {using: transformers, model: "cbtrun:tiny"}}
corpus:
  real:
    using: hub
    name: someone/sessions
    revision: "0000000000000000000000000000000000000000"
    path: ./set
    columns: {messages: messages}
    speakers: {assistant: therapist, user: patient}
report: {using: html, page: false, tables: [csv], figures: []}
"""


def rows(count: int, first: int = 0) -> str:
    return "".join(json.dumps({"n": at}) + "\n" for at in range(first, first + count))


def numbers(folder: Path, split: str = "train", **options: Any) -> list[Any]:
    return [int(row.cells["n"]) for row in local_table(folder, {"split": split, **options}).rows]


def files(folder: Path, **content: str) -> Path:
    for name, text in content.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".").replace("_DASH_", "-")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_names_tell_splits_and_shards_go_in_order(tmp_path: Path) -> None:
    shards = {
        "data__train_DASH_00000_DASH_of_DASH_00002_DOT_jsonl": rows(2),
        "data__train_DASH_00001_DASH_of_DASH_00002_DOT_jsonl": rows(2, 2),
    }
    files(tmp_path, **shards, data__validation_DOT_csv="n\n9\n", README_DOT_md="# Words\n", _DOT_git__x_DOT_json="{")
    assert numbers(tmp_path) == [0, 1, 2, 3]
    assert numbers(tmp_path, "validation") == [9]
    assert numbers(tmp_path, "train[1:3]+validation") == [1, 2, 9]
    assert (numbers(tmp_path, "train[:50%]"), numbers(tmp_path, "train[-1:]")) == ([0, 1], [3])
    with pytest.raises(StageError, match=r"no split 'test' in .*; splits: train, validation"):
        numbers(tmp_path, "test")
    with pytest.raises(StageError, match="written as NAME"):
        numbers(tmp_path, "train[a]")


def test_without_a_word_for_a_split_all_is_train(tmp_path: Path) -> None:
    assert numbers(files(tmp_path, a_DOT_jsonl=rows(1), b_DOT_json='[{"n": 5}]')) == [0, 5]


CARD = """---
configs:
- config_name: one
  data_files: {where}
- {{config_name: two, data_files: [{{split: test, path: ['b/*.csv']}}], sep: ';'}}
---
"""


@pytest.mark.parametrize(
    "where", ["'a/*.jsonl'", "['a/1.jsonl']", "{train: a/*.jsonl}", "[{split: train, path: 'a/**'}]"]
)
def test_the_card_tells_configurations_and_how_files_are_written(tmp_path: Path, where: str) -> None:
    files(tmp_path, a__1_DOT_jsonl=rows(2), b__1_DOT_csv="n;m\n7;x\n", README_DOT_md=CARD.format(where=where))
    assert numbers(tmp_path, config="one") == [0, 1]
    assert numbers(tmp_path, "test", config="two") == [7]
    with pytest.raises(StageError, match="has several configurations: one, two; say which"):
        numbers(tmp_path)
    with pytest.raises(StageError, match="no configuration 'three'"):
        numbers(tmp_path, config="three")


def test_what_a_card_says_and_we_do_not_follow_is_told(tmp_path: Path) -> None:
    files(
        tmp_path,
        a_DOT_csv="1\n",
        README_DOT_md="---\nconfigs:\n- {config_name: a, data_files: a.csv, header: null}\n---\n",
    )
    with pytest.raises(StageError, match="'header' of how the files are written, which is not followed"):
        numbers(tmp_path)


def test_validate_reads_the_rows_of_a_folder(study_project: Callable[[Mapping[str, str]], StudyProject]) -> None:
    right = {"messages": [{"role": "user", "content": "Low."}, {"role": "assistant", "content": "Why?"}]}
    wrong = {"messages": [{"role": "user", "content": "Low."}, {"role": "assistant", "content": None}]}
    lines = "".join(json.dumps(one) + "\n" for one in (right, wrong))
    project = study_project({"study.yaml": STUDY, "set/train.jsonl": lines})
    outcome = project.run("validate", "study.yaml")
    assert outcome.code == 2
    assert "set/train.jsonl:2: session '2': what the therapist says is null, not a text" in outcome.err
    project.write("study.yaml", STUDY.replace("messages: messages", "messages: talk"))
    assert "no column 'talk' in the file; it has: messages" in project.run("validate", "study.yaml").err
    project.write("study.yaml", STUDY.replace("messages}", "messages}\n    not_text: drop"))
    outcome = project.run("study.yaml")
    assert outcome.code == 0
    assert "sessions left out in which the therapist says nothing: 1" in outcome.out + outcome.err
