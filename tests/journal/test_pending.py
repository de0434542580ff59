"""What waits in batches: shown, passed on with an export, and ended by a user's word where nobody else can tell."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from cbtrun.contract.batches import ItemAnswer
from cbtrun.errors import StageError
from cbtrun.files.run_folder import RunFolder
from cbtrun.journal.batch_book import Batch
from cbtrun.journal.exchange import check_journal, export_journal, import_journal
from cbtrun.journal.forget import remove_replies
from cbtrun.journal.journal import Journal
from cbtrun.journal.pending import give_up, pending_lines_of, say_found, say_not_submitted
from cbtrun.plugins.mock_server.batches import BatchShop
from cbtrun.plugins.mock_server.in_thread import listening
from cbtrun.testing.projects import StudyProject
from tests.helpers.batch_runs import quick, run, shop_server
from tests.helpers.places import FIXTURES

KEYS = ["a" * 64, "b" * 64]


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with quick():
        yield


def waiting_run(path: Path, state: str = "submitted") -> RunFolder:
    """A run folder with one batch of two draws."""
    path.mkdir(exist_ok=True)
    folder = RunFolder(path)
    with Journal(folder.journal) as journal:
        batch = Batch("f00d", "OpenAI", "https://api.openai.com", "ratings.x", "rater", "i", size=2, usd=1.5, made=1.0)
        journal.batches.build(batch, [(KEYS[0], "s1"), (KEYS[1], "s2")])
        journal.batches.submitting("f00d", "file-1", 2.0)
        if state != "submitting":
            journal.batches.submitted("f00d", "batch_9")
        if state == "collected":
            journal.batches.collect("f00d", "collected", {KEYS[0]: ItemAnswer(200, "{}")}, 3.0)
    return folder


def test_a_draw_is_in_one_batch_at_most(tmp_path: Path) -> None:
    folder = waiting_run(tmp_path / "r")
    with Journal(folder.journal) as journal, pytest.raises(Exception, match="UNIQUE"):
        journal.batches.build(Batch("beef", "OpenAI", "s", "ratings.x", "rater", "i"), [(KEYS[0], "s1")])


def test_a_batch_that_was_never_handed_in_is_forgotten_and_others_are_not(tmp_path: Path) -> None:
    folder = waiting_run(tmp_path / "r")
    with Journal(folder.journal) as journal:
        journal.batches.build(Batch("beef", "OpenAI", "s", "ratings.x", "rater", "i"), [("c" * 64, "s3")])
        journal.batches.discard_unsent()
        assert [one.batch for one in journal.batches.all()] == ["f00d"]
        assert journal.batches.where("c" * 64) is None


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("submitting", "2 draws of 'rater' may have been submitted"),
        ("submitted", "batch f00d at OpenAI (batch_9): 2 draws of 'rater' wait, 0 done, submitted"),
        ("collected", "collected; 2 answers for 'rater' that no run has asked for since"),
    ],
)
def test_status_shows_what_waits_where(tmp_path: Path, state: str, words: str) -> None:
    waiting_run(tmp_path / "r", state)
    status = StudyProject(tmp_path).run("status", "r")
    assert (status.code, words in status.out) == (0, True), status.out
    assert words in StudyProject(tmp_path).run("journal", "pending", "r").out


@pytest.mark.parametrize("state", ["submitting", "submitted", "collected"])
def test_an_export_takes_what_waits_along_and_an_import_takes_it_up(tmp_path: Path, state: str) -> None:
    folder, other = waiting_run(tmp_path / "a", state), RunFolder(tmp_path / "b")
    found = export_journal(folder, tmp_path / "x.gz")
    assert (found.calls, found.batches, found.draws) == (0, 1, 2)
    lines = [json.loads(line) for line in gzip.decompress((tmp_path / "x.gz").read_bytes()).splitlines()]
    assert (lines[0], lines[-1]["batches"], lines[-1]["draws"]) == ({"cbtrun_journal": 3}, 1, 2)
    assert "s1" not in str(lines)  # whose words they are is nobody's business
    assert import_journal(other, tmp_path / "x.gz").draws == 2
    assert import_journal(other, tmp_path / "x.gz").draws == 0
    with Journal(folder.journal) as mine, Journal(other.journal) as theirs:
        assert theirs.batches.all() == mine.batches.all()
        assert [theirs.batches.where(key) for key in KEYS] == [mine.batches.where(key) for key in KEYS]
    assert check_journal(other) == []


def test_an_import_takes_what_is_newer_and_nothing_that_is_older(tmp_path: Path) -> None:
    old, new = waiting_run(tmp_path / "a", "submitted"), waiting_run(tmp_path / "b", "collected")
    export_journal(old, tmp_path / "old.gz")
    export_journal(new, tmp_path / "new.gz")
    import_journal(old, tmp_path / "new.gz")
    import_journal(new, tmp_path / "old.gz")
    for folder in (old, new):
        with Journal(folder.journal) as journal:
            assert [one.state for one in journal.batches.all()] == ["collected"]
            assert journal.batches.where(KEYS[0]) is not None


@pytest.mark.parametrize(
    ("table", "column", "value", "words"),
    [
        ("batches", "size", "-1", "'size' must be a whole number"),
        ("draws", "status", "-5", "'status' must be a whole number"),
    ],
)
def test_an_export_with_something_wrong_in_what_waits_is_not_taken(
    tmp_path: Path, table: str, column: str, value: str, words: str
) -> None:
    folder = waiting_run(tmp_path / "a")
    with sqlite3.connect(folder.journal) as connection:
        connection.execute(f"UPDATE {table} SET {column} = {value}")
    connection.close()
    export_journal(folder, tmp_path / "x.gz")
    with pytest.raises(StageError, match=words):
        import_journal(RunFolder(tmp_path / "b"), tmp_path / "x.gz")


def test_an_export_of_the_version_before_is_taken(tmp_path: Path) -> None:
    head = json.loads(gzip.decompress((FIXTURES / "export-of-format-2.jsonl.gz").read_bytes()).splitlines()[0])
    assert head == {"cbtrun_journal": 2}
    assert import_journal(RunFolder(tmp_path / "r"), FIXTURES / "export-of-format-2.jsonl.gz").added == 8


def test_a_batch_given_on_is_collected_by_whoever_has_the_key(tmp_path: Path) -> None:
    shop = BatchShop(looks=10**6)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with listening(shop_server(shop)) as server:
        run(tmp_path / "a", "openai", server, range(3), end_after=0.4)
        export_journal(RunFolder(tmp_path / "a"), tmp_path / "x.gz")
        import_journal(RunFolder(tmp_path / "b"), tmp_path / "x.gz")
        shop.looks = 0
        there, here = (run(tmp_path / one, "openai", server, range(3)) for one in ("b", "a"))
    assert there.texts == here.texts
    assert (len(there.texts), len(shop.batches), set(shop.paid.values())) == (3, 1, {1})


@pytest.mark.parametrize("said", ["--not-submitted", "--give-up"])
def test_a_user_says_that_it_is_not_there_and_the_draws_are_asked_anew(tmp_path: Path, said: str) -> None:
    shop = BatchShop(faults=["lost-before"])
    with listening(shop_server(shop)) as server:
        assert not run(tmp_path, "openai", server, range(3)).texts
        (mark,) = [line.split()[2] for line in pending_lines_of(RunFolder(tmp_path))]
        outcome = StudyProject(tmp_path).run("journal", "pending", ".", said, mark)
        assert (outcome.code, "asks for its 3 draws anew" in outcome.out) == (0, True), outcome.err
        assert len(run(tmp_path, "openai", server, range(3)).texts) == 3


def test_a_user_says_under_which_id_it_is_and_it_is_collected(tmp_path: Path) -> None:
    shop = BatchShop(faults=["lost"], lag=10**6)
    with listening(shop_server(shop)) as server:
        assert not run(tmp_path, "openai", server, range(3)).texts
        (mark,) = [line.split()[2] for line in pending_lines_of(RunFolder(tmp_path))]
        say_found(RunFolder(tmp_path), mark, shop.batches[0].id)
        assert len(run(tmp_path, "openai", server, range(3)).texts) == 3
    assert (len(shop.batches), set(shop.paid.values())) == (1, {1})


def test_what_cannot_be_said_of_a_batch_is_refused(tmp_path: Path) -> None:
    folder = waiting_run(tmp_path / "r")
    with pytest.raises(StageError, match=r"no batch 'nope' in .*; waiting: f00d"):
        give_up(folder, "nope")
    with pytest.raises(StageError, match="batch f00d is 'submitted'"):
        say_not_submitted(folder, "f00d")
    assert StudyProject(tmp_path).run("journal", "pending", "r", "--found", "f00d").code == 2


def test_forgetting_takes_a_persons_draws_out(tmp_path: Path) -> None:
    folder = waiting_run(tmp_path / "r", "collected")
    assert remove_replies(folder, ["s1"], []).theirs == 1
    with Journal(folder.journal) as journal:
        assert [journal.batches.where(key) is None for key in KEYS] == [True, False]
