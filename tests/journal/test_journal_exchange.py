"""A journal can be passed on, and a study published with it can be run again without a key and without a network."""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.contract.models import Reply
from cbtrun.files.run_folder import RunFolder
from cbtrun.journal.exchange import export_journal, import_journal
from cbtrun.journal.journal import Call, Journal
from cbtrun.plugins.mock_server.server import MockServer
from cbtrun.testing.projects import CommandOutcome, StudyProject
from tests.helpers.chat_calls import KEY
from tests.helpers.network_studies import ALLOW, CALLS, STUDY, listening

MakeProject = Callable[[Mapping[str, str]], StudyProject]
RESULTS = "runs/calls/results.json"


@pytest.fixture(scope="module")
def finished_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a project whose study has run."""
    project = StudyProject(tmp_path_factory.mktemp("finished"))
    project.write("study.yaml", STUDY)
    with listening(MockServer()) as server, pytest.MonkeyPatch.context() as patched:
        patched.setenv("MOCK_URL", server.url)
        patched.setenv("MOCK_KEY", KEY)
        assert project.run("study.yaml", *ALLOW).code == 0
    return project.folder


@pytest.fixture
def finished(finished_once: Path, tmp_path: Path) -> StudyProject:
    """A project whose study has run; its server is gone and so is the key."""
    return StudyProject(Path(shutil.copytree(finished_once, tmp_path, dirs_exist_ok=True)))


def journal_of(project: StudyProject, *arguments: str) -> CommandOutcome:
    return project.run("journal", *arguments)


def edited(project: StudyProject, change: Callable[[list[str]], list[str]]) -> None:
    """Export the journal and change the export's lines."""
    journal_of(project, "export", "runs/calls", "calls.jsonl.gz")
    path = project.folder / "calls.jsonl.gz"
    lines = change(gzip.decompress(path.read_bytes()).decode().splitlines(keepends=True))
    path.write_bytes(gzip.compress("".join(lines).encode()))


def test_a_study_with_its_journal_gives_the_same_bytes_offline_without_a_key(finished: StudyProject) -> None:
    exported = journal_of(finished, "export", "runs/calls", "calls.jsonl.gz")
    assert exported.out.startswith(f"calls.jsonl.gz: {CALLS} calls; ")
    first = finished.read(RESULTS)
    (finished.folder / "runs").rename(finished.folder / "first")
    imported = journal_of(finished, "import", "runs/calls", "calls.jsonl.gz")
    assert imported.out == f"runs/calls: {CALLS} calls added, 0 were there already\n"
    again = finished.run("study.yaml", "--offline")
    assert (again.code, finished.read(RESULTS)) == (0, first)
    for name in ("sessions.jsonl", "ratings/ctrs.jsonl"):
        assert finished.read(f"runs/calls/{name}") == finished.read(f"first/calls/{name}")


def test_a_call_that_the_journal_does_not_hold_fails_offline_and_says_so(finished: StudyProject) -> None:
    outcome = finished.run("study.yaml", "--offline", "--take-over", "--set", "sessions.max_turns=6")
    assert outcome.code == 3
    assert "not in the journal and the run is offline" in outcome.err


def test_the_same_journal_gives_the_same_export(finished: StudyProject) -> None:
    journal_of(finished, "export", "runs/calls", "one.gz")
    journal_of(finished, "export", "runs/calls", "two.gz")
    assert (finished.folder / "one.gz").read_bytes() == (finished.folder / "two.gz").read_bytes()


def test_an_export_holds_no_key_and_no_header(finished: StudyProject) -> None:
    journal_of(finished, "export", "runs/calls", "calls.jsonl.gz")
    text = gzip.decompress((finished.folder / "calls.jsonl.gz").read_bytes()).decode()
    assert KEY not in text
    assert "Authorization" not in text
    assert "Bearer" not in text


def test_importing_twice_changes_nothing(finished: StudyProject) -> None:
    journal_of(finished, "export", "runs/calls", "calls.jsonl.gz")
    assert journal_of(finished, "import", "runs/calls", "calls.jsonl.gz").out.endswith(f"{CALLS} were there already\n")


def changed_reply(lines: list[str]) -> list[str]:
    """Another reply, and a foot that says it is right."""
    import hashlib

    call = json.loads(lines[1])
    calls = [json.dumps({**call, "text": "forged"}, separators=(",", ":")) + "\n", *lines[2:-1]]
    foot = {"calls": len(calls), "sha256": hashlib.sha256("".join(calls).encode()).hexdigest()}
    return [lines[0], *calls, json.dumps(foot) + "\n"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda lines: lines[:-1], "cut off; nothing was imported"),
        (lambda lines: [*lines[:3], *lines[4:]], "changed since it was written"),
        (lambda lines: [*lines[:2], '{"key": 1}\n', *lines[2:]], ":3: expected a call with key, stage"),
        (lambda lines: [*lines[:2], "{half\n", *lines[2:]], "cannot be read"),
        (lambda lines: ['{"cbtrun_journal": 99}\n', *lines[1:]], "not an export of a journal"),
        (changed_reply, ":2: the journal has another reply to this call"),
    ],
)
def test_a_bad_export_is_refused_whole(
    finished: StudyProject, change: Callable[[list[str]], list[str]], what: str
) -> None:
    edited(finished, change)
    outcome = journal_of(finished, "import", "runs/calls", "calls.jsonl.gz")
    assert outcome.code == 2
    assert what in outcome.err
    fresh = journal_of(finished, "import", "runs/new", "calls.jsonl.gz")
    if fresh.code:
        connection = sqlite3.connect(finished.folder / "runs/new/journal.sqlite")
        assert connection.execute("SELECT count(*) FROM calls").fetchone() == (0,)
        connection.close()


def test_check_says_that_a_journal_is_sound_and_what_is_broken(finished: StudyProject) -> None:
    assert journal_of(finished, "check", "runs/calls").out == "runs/calls/journal.sqlite: sound\n"
    broken = finished.folder / "runs/calls/journal.sqlite"
    content = bytearray(broken.read_bytes())
    content[8192:20480] = b"\xff" * 12288
    broken.write_bytes(content)
    outcome = journal_of(finished, "check", "runs/calls")
    assert outcome.code == 2
    assert "journal.sqlite: damaged" in outcome.err
    assert finished.run("study.yaml", "--offline").code == 2


def test_compact_keeps_every_call(finished: StudyProject) -> None:
    path = finished.folder / "runs/calls/journal.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript("CREATE TABLE big AS SELECT randomblob(2000000); DROP TABLE big;")
    connection.close()
    before = path.stat().st_size
    assert "MiB, now" in journal_of(finished, "compact", "runs/calls").out
    assert path.stat().st_size < before / 2
    assert journal_of(finished, "export", "runs/calls", "x.gz").out.startswith(f"x.gz: {CALLS} calls; ")


def test_a_folder_without_a_journal_is_named(study_project: MakeProject, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    outcome = journal_of(study_project({}), "check", "empty")
    assert outcome.code == 2
    assert "there is no journal.sqlite in it" in outcome.err


def test_thinking_goes_with_an_export_and_a_journal_of_an_earlier_format_has_none(tmp_path: Path) -> None:
    folder, other, old = (RunFolder(tmp_path / name) for name in ("a", "b", "c"))
    thought = Reply("Hello.", 3, 2, "stop", thinking="She is low.")
    for one in (folder, old):
        one.path.mkdir()
        with Journal(one.journal) as journal:
            asyncio.run(journal.keep(Call("k" * 64, "s", "m", "r", 1, thought, 0.1)))
    export_journal(folder, tmp_path / "export.gz")
    other.path.mkdir()
    import_journal(other, tmp_path / "export.gz")
    with Journal(other.journal) as journal:
        assert journal.find("k" * 64) == thought

    with sqlite3.connect(old.journal) as connection:
        later = "".join(
            f"ALTER TABLE calls DROP COLUMN {one};"
            for one in ("bought", "thought", "written", "cached", "at", "arm", "asked", "fingerprint", "thinking")
        )
        later += "DROP TABLE batches; DROP TABLE draws;"
        connection.executescript(f"{later} ALTER TABLE faults DROP COLUMN tries; PRAGMA user_version=3;")
    connection.close()
    export_journal(old, tmp_path / "old.gz")
    assert b"thinking" not in gzip.decompress((tmp_path / "old.gz").read_bytes())
    with Journal(old.journal) as journal:
        assert journal.find("k" * 64) == Reply("Hello.", 3, 2, "stop")
