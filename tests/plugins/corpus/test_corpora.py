"""Corpora from files and data sets, and the checks that every corpus can go through."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cbtrun.contract.records import Message, Transcript
from cbtrun.contract.study_view import StudyView
from cbtrun.errors import SpecError, StageError
from cbtrun.plugins.corpus import files as files_corpus
from cbtrun.plugins.corpus import hub as hub_corpus
from cbtrun.plugins.corpus.checks.copies import copies
from cbtrun.plugins.corpus.checks.corpus import checked
from cbtrun.plugins.corpus.checks.transcript import faults
from tests.helpers.tiny_models import SENTENCES

CHECKS = {
    "on_fail": "drop",
    "language": "any",
    "min_turns": 2,
    "max_turn_words": 100,
    "near_duplicates": 0.9,
    "character": True,
    "leaks": True,
}
COLUMNS = {"transcript": "id", "speaker": "who", "text": "said", "persona": "client"}
SPEAKERS = {"T": "therapist", "P": "patient", "note": "skip"}


@dataclass
class Named:
    id: str


@dataclass
class Corpus:
    """A corpus stage made for the test."""

    folder: Path
    options: dict[str, Any] = field(default_factory=dict)
    study: Mapping[str, Any] = field(default_factory=lambda: StudyView({}))
    evaluated: tuple[str, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)
    name: str = "real"

    def personas(self, _: str) -> list[Named]:
        return [Named(one) for one in self.evaluated]

    def report(self) -> Any:
        return json.loads((self.folder / "corpus" / "real.checks.json").read_text())


def session(*said: str, id_: str = "a", persona: str = "p") -> Transcript:
    turns = [Message(role=("therapist", "patient")[place % 2], content=text) for place, text in enumerate(said)]  # type: ignore[arg-type]
    return Transcript(id=id_, persona=persona, messages=(Message(role="system", content="You listen."), *turns))


def rows(count: int = 3) -> list[dict[str, str]]:
    return [
        {"id": f"s{number}", "client": f"c{number}", "who": "TP"[turn % 2], "said": SENTENCES[(number + turn) % 7]}
        for number in range(count)
        for turn in range(4)
    ]


def written(folder: Path, kind: str, content: list[dict[str, Any]]) -> Path:
    path = folder / f"transcripts.{kind}"
    if kind == "csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, content[0])
            writer.writeheader()
            writer.writerows(content)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in content))
    else:
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(content), path)
    return path


def options_for(path: Path, **more: Any) -> dict[str, Any]:
    return {
        "path": str(path),
        "columns": COLUMNS,
        "speakers": SPEAKERS,
        "system": "You listen.",
        "checks": CHECKS,
        **more,
    }


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_every_kind_of_file_gives_the_same_transcripts(tmp_path: Path, kind: str) -> None:
    made = files_corpus.make_corpus(Corpus(tmp_path, options_for(written(tmp_path, kind, rows()))))
    assert [(one.id, one.persona, len(one.messages)) for one in made] == [(f"s{n}", f"c{n}", 5) for n in range(3)]
    assert made[1].messages[1] == Message(role="therapist", content=SENTENCES[1])


def test_a_row_with_a_list_of_messages_is_a_transcript(tmp_path: Path) -> None:
    said = [{"role": "note", "content": "x"}, {"role": "T", "content": "Hello."}, {"role": "P", "content": "Hi."}]
    path = written(tmp_path, "jsonl", [{"id": "a", "talk": said, "n": 3, "phase": "end"}])
    columns = {"transcript": "id", "messages": "talk", "session_number": "n", "phase": "phase"}
    (made,) = files_corpus.make_corpus(Corpus(tmp_path, options_for(path, columns=columns)))
    assert (made.persona, made.session_number, made.phase) == ("a", 3, "end")
    assert [message.role for message in made.messages] == ["system", "therapist", "patient"]


def test_an_unknown_speaker_is_a_problem_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "csv", [*rows(1), {"id": "s9", "client": "c", "who": "X", "said": "?"}])
    with pytest.raises(SpecError, match=r"transcripts\.csv:6: session 's9': unknown speaker 'X'"):
        files_corpus.make_corpus(Corpus(tmp_path, options_for(path)))


@pytest.mark.parametrize(
    ("said", "check"),
    [
        (("Hello.", "As an AI language model I have no mood."), "refusal"),
        (("I'm sorry, but I can't help with that.", "Oh."), "refusal"),
        (("Hello.\nPatient: Hi.", "Hi."), "other speaker"),
        (("Hello.<|im_end|>", "Hi."), "leak"),
        (('{"messages": []}', "Hi."), "leak"),
        (("Hello.", ""), "length"),
        (("Hello.", "word " * 101), "length"),
        (("Hello.",), "alternation"),
    ],
)
def test_a_fault_is_found_by_its_check(said: tuple[str, ...], check: str) -> None:
    assert check in [fault.check for fault in faults(session(*said), CHECKS)]


@pytest.mark.parametrize(
    "said",
    [
        ("Hello, how was the week?", "I'm sorry, I can't sleep. I am just a mess."),
        ("You said: I am a failure.", "I can't help thinking that. Sorry, but I can't."),
    ],
)
def test_what_patients_say_is_no_refusal(said: tuple[str, ...]) -> None:
    assert faults(session(*said), CHECKS) == []


def test_two_turns_of_one_speaker_are_no_alternation() -> None:
    one = session("Hello.", "Hi.")
    twice = one.model_copy(update={"messages": (*one.messages, Message(role="patient", content="Well."))})
    (fault,) = faults(twice, CHECKS)
    assert (fault.check, fault.what) == ("alternation", "the patient has turns 2 and 3")


def test_the_system_prompt_in_a_turn_is_a_leak() -> None:
    prompt = Message(role="system", content="You are a warm and patient therapist. Be brief.")
    said = Message(role="therapist", content="You are a warm and patient therapist, am I?")
    told = Transcript(id="a", persona="p", messages=(prompt, said, Message(role="patient", content="Hm.")))
    assert [fault.check for fault in faults(told, CHECKS)] == ["leak"]


@pytest.mark.parametrize(("language", "wrong"), [("en", False), ("de", True), ("any", False)])
def test_the_language_is_told_by_common_words(language: str, wrong: bool) -> None:
    told = session(*[f"{SENTENCES[place % 7]} {SENTENCES[(place + 1) % 7]}" for place in range(6)])
    assert bool(faults(told, {**CHECKS, "language": language})) == wrong


def test_a_copy_with_a_word_changed_is_a_near_duplicate_and_another_story_is_none() -> None:
    first = session(*SENTENCES, *reversed(SENTENCES), id_="first")
    copy = session(*SENTENCES, *[one.replace("stone", "rock") for one in reversed(SENTENCES)], id_="copy")
    other = session(*[f"{word} is what I say about day {n}." for n, word in enumerate("abcdefgh")], id_="other")
    assert list(copies([first, copy, other], 0.7)) == [("copy", "first")]


def test_dropped_transcripts_are_counted_with_examples(tmp_path: Path) -> None:
    good, bad = session("Hello.", "Hi."), session("As an AI, hello.", "Hi.", id_="b")
    stage = Corpus(tmp_path)
    assert checked(stage, [good, bad], CHECKS) == [good]  # type: ignore[arg-type]
    report = stage.report()
    assert (report["transcripts"], report["failed"]) == (2, 1)
    assert report["checks"]["refusal"]["examples"][0] == {
        "transcript": "b",
        "what": "turn 1: refuses, or says that it is a machine",
        "text": "As an AI, hello.",
    }


def test_on_fail_stop_stops_and_names_the_first(tmp_path: Path) -> None:
    told = [session("Hello.", "Hi."), session("As an AI, hello.", "Hi.", id_="b")]
    with pytest.raises(StageError, match=r"1 of 2 transcripts fail their checks, 'b' first \(refusal"):
        checked(Corpus(tmp_path), told, {**CHECKS, "on_fail": "stop"})  # type: ignore[arg-type]


def test_a_corpus_of_which_nothing_is_left_stops(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="1 of 1 transcripts fail"):
        checked(Corpus(tmp_path), [session("As an AI, hello.", "Hi.")], CHECKS)  # type: ignore[arg-type]


def test_a_persona_that_is_evaluated_with_is_refused(tmp_path: Path) -> None:
    study = {"sessions": {"personas": "eval"}, "personas": {"eval": {}}}
    stage = Corpus(tmp_path, study=StudyView(study), evaluated=("x", "p"))
    with pytest.raises(StageError, match=r"1 personas of this corpus are evaluated with \(set 'eval'\): p"):
        checked(stage, [session("Hello.", "Hi.")], CHECKS)  # type: ignore[arg-type]


HUB = {"name": "someone/sessions", "revision": "0" * 40, "split": "train"}


def test_a_data_set_is_read_from_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = tmp_path / "set"
    content.mkdir()
    written(content, "parquet", rows())
    options = {**HUB, **options_for(content), "cache": str(tmp_path / "cache")}
    made = hub_corpus.make_corpus(Corpus(tmp_path, options))
    assert [one.id for one in made] == ["s0", "s1", "s2"]


def test_offline_mode_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    options = {**HUB, **options_for(tmp_path), "path": None, "cache": str(tmp_path / "cache")}
    with pytest.raises(StageError, match=r"'someone/sessions' at 000000000000 is not in the cache, and HF_HUB_OFFLINE"):
        hub_corpus.make_corpus(Corpus(tmp_path, options))
