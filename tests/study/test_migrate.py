"""Keys and values of earlier versions are read, told with their successor, and rewritten where they stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from cbtrun.documents.yaml_source import parse_yaml
from cbtrun.errors import SpecError
from cbtrun.registry import load_registry
from cbtrun.study.earlier_forms import Form, earlier_forms, modernised
from cbtrun.study.migrate import migrated
from cbtrun.study.study_schema import block_schema
from cbtrun.testing.projects import StudyProject

Make = Callable[[Mapping[str, str]], StudyProject]
STUDY = """\
# A study – with a comment
cbtrun: 1
study: old
seed: 1
models: {author: {using: grammar}, tiny: {using: transformers, model: "cbtrun:tiny"}}
personas: {train: {using: sampled, attributes: depression, count: 2}}
corpus: {c: {using: written-course, author: author, personas: train, course: depression-20}}
tune:
  # LoRA
  j: {using: sft, base: tiny, corpus: c, max_steps: 2, sharding: fsdp, seeds: [1]}  # in a line
  k:
    using: sft
    base: tiny
    corpus: c
    max_steps: 2
    checkpointing: &how selective   # saves memory
    sharding: 'none'\t# on one device
"""
RENAMED = Form(("sessions",), "turns", "0.1.0", now="max_turns")
GONE = Form(("tune", "*"), "fast", "0.1.0", gone="it is always fast")
FORMS = (RENAMED, GONE)


def test_validate_tells_each_with_its_line_and_successor_and_a_run_reads_it_so(study_project: Make) -> None:
    project = study_project({"study.yaml": STUDY})
    outcome = project.run("validate", "study.yaml")
    assert outcome.code == 0, outcome.err
    assert outcome.err.splitlines() == [
        "warning: study.yaml:10: tune/j/sharding: 'fsdp' was the form until version 0.1.0; write 'true'"
        " (`cbtrun migrate study.yaml --write` does it)",
        "warning: study.yaml:17: tune/k/sharding: 'none' was the form until version 0.1.0; write 'false'"
        " (`cbtrun migrate study.yaml --write` does it)",
        "warning: study.yaml:16: tune/k/checkpointing: 'selective' was the form until version 0.1.0; write 'true'"
        " (`cbtrun migrate study.yaml --write` does it)",
    ]
    told = project.run("validate", "study.yaml", "--set", "tune.j.checkpointing=selective").err
    assert (
        "--set tune.j.checkpointing: tune/j/checkpointing: 'selective' was the form until version 0.1.0; write 'true'\n"
        in told
    )


def test_migrate_shows_writes_keeps_the_old_file_and_has_nothing_left_to_do(study_project: Make) -> None:
    project = study_project({"study.yaml": STUDY})
    path = project.folder / "study.yaml"
    wanted = (
        STUDY.replace("sharding: fsdp", "sharding: true")
        .replace("&how selective", "&how true")
        .replace("sharding: 'none'", "sharding: false")
    )
    shown = project.run("migrate", "study.yaml")
    assert (shown.code, path.read_text()) == (0, STUDY)
    assert "+    sharding: false\t# on one device\n" in shown.out
    assert shown.err.endswith("nothing was written; --write writes it\n")
    assert project.run("migrate", "study.yaml", "--check").code == 2
    assert path.read_text() == STUDY
    written = project.run("migrate", "study.yaml", "--write")
    assert written.out.endswith("study.yaml: written; the old one is study.yaml.bak\n")
    assert (path.read_text(), (project.folder / "study.yaml.bak").read_text()) == (wanted, STUDY)
    for also in ((), ("--check",), ("--write",)):
        again = project.run("migrate", "study.yaml", *also)
        assert (again.code, again.out) == (0, "study.yaml: nothing to migrate\n")
    assert path.read_text() == wanted
    assert project.run("validate", "study.yaml").err == ""


def test_a_second_backup_replaces_no_first_one(study_project: Make) -> None:
    project = study_project({"study.yaml": STUDY, "study.yaml.bak": "mine"})
    assert "the old one is study.yaml.bak1" in project.run("migrate", "study.yaml", "--write").out
    assert (project.folder / "study.yaml.bak").read_text() == "mine"


def test_a_rubric_has_nothing_to_migrate(study_project: Make) -> None:
    project = study_project({"mine.yaml": "name: mine\nitems:\n  - id: a\n    anchors: {0: low, 6: high}\n"})
    assert (
        "no study, and rubrics, personas, courses and practices have had one form so far"
        in project.run("migrate", "mine.yaml").out
    )


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_renamed_key_keeps_its_value_its_comments_and_its_line_ends(newline: str, mark: str) -> None:
    old = mark + newline.join(["# “Größe”", "sessions:", "  turns:   # of both", "    12", "  # end", "seed: 1", ""])
    found = migrated(old, "s.yaml", FORMS)
    assert found.text == old.replace("turns:", "max_turns:")
    assert migrated(found.text, "s.yaml", FORMS).earlier == ()


def test_a_key_that_does_nothing_any_more_becomes_a_comment() -> None:
    old = "tune:\n  a:\n    fast:  # why\n      much: 1\n      more: [2,\n        3]\n    rank: 8\n  b: {rank: 8, fast: 1}\n  c: {fast: {x: 1}, rank: 8}\n"
    found = migrated(old, "s.yaml", FORMS)
    assert found.text == (
        "tune:\n  a:\n    # fast:  # why\n    #   much: 1\n    #   more: [2,\n    #     3]\n    rank: 8\n  b: {rank: 8}\n  c: {rank: 8}\n"
    )
    assert (
        "tune/a/fast: 'fast' does nothing since version 0.1.0 (it is always fast); leave it out"
        in found.earlier[0].words
    )


def test_what_cannot_be_rewritten_in_place_is_left_to_the_user() -> None:
    with pytest.raises(SpecError, match=r"cannot be rewritten in place; change it by hand: s.yaml:3: tune/a/fast"):
        migrated("tune:\n  a:\n    fast: 1\n", "s.yaml", FORMS)  # an empty block would be none


def test_no_comment_is_cut_out_with_a_key() -> None:
    with pytest.raises(SpecError, match="change it by hand"):
        migrated("tune: {a: {fast: [1, # why\n  2], rank: 8}}\n", "s.yaml", FORMS)


def test_a_block_that_stands_for_two_is_rewritten_once() -> None:
    old = "tune: {a: &x {fast: 1, rank: 8}, b: *x}\nsessions: {turns: 1}\n"
    assert migrated(old, "s.yaml", FORMS).text == "tune: {a: &x {rank: 8}, b: *x}\nsessions: {max_turns: 1}\n"


def test_an_old_key_beside_the_new_one_is_left_for_the_schema_to_refuse() -> None:
    node = parse_yaml("sessions: {turns: 1, max_turns: 2}\n", "s.yaml")
    assert modernised(node, FORMS) == (node, ())


def test_every_successor_of_the_table_is_an_option_that_its_plugin_takes() -> None:
    registry = load_registry()
    for form in earlier_forms():
        for using in form.using:
            options = block_schema(form.where[0], registry.schema(form.where[0], using))["properties"]
            assert form.gone or (form.now or form.key) in options
            assert not form.now or form.key not in options
