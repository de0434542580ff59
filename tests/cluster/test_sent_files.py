"""Files that travel: by plain names, held against their digest, gone with their process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cbtrun.cluster.sent_files import PREFIX, SentFiles, files_digest, files_in, write_files
from cbtrun.errors import ModelError

FILES = {"adapter_config.json": b"{}", "adapter_model.safetensors": b"abc"}


def test_files_come_as_they_were_sent(tmp_path: Path) -> None:
    write_files(tmp_path / "here", FILES)
    sent = SentFiles(tmp_path)
    sent.hold("name", files_digest(FILES), files_in(tmp_path / "here"))
    assert files_in(Path(sent.folder_of("name"))) == FILES
    sent.remove()
    assert not list(tmp_path.glob(f"{PREFIX}*"))


def test_a_file_that_was_not_asked_for_does_not_travel(tmp_path: Path) -> None:
    write_files(tmp_path, {**FILES, "prompt.words.json": b"words of somebody"})
    assert files_in(tmp_path, tuple(FILES)) == FILES


def test_other_files_than_were_sent_are_refused(tmp_path: Path) -> None:
    sent = SentFiles(tmp_path)
    with pytest.raises(ModelError, match="and what came is"):
        sent.hold("name", files_digest(FILES), {**FILES, "adapter_config.json": b"[]"})
    with pytest.raises(ModelError, match="no files name were sent"):
        sent.folder_of("name")


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/b", ".hidden", "", "x" * 101, "a\nb"])
def test_a_name_that_is_more_than_a_name_is_refused(tmp_path: Path, name: str) -> None:
    sent, files = SentFiles(tmp_path), {name: b"x"}
    with pytest.raises(ModelError, match="which is not taken"):
        sent.hold("name", files_digest(files), files)


def test_what_a_killed_process_left_is_taken_away(tmp_path: Path) -> None:
    left, own = tmp_path / f"{PREFIX}99999999-abc", tmp_path / f"{PREFIX}{os.getpid()}-abc"
    left.mkdir()
    own.mkdir()
    SentFiles(tmp_path)
    assert not left.exists()
    assert own.exists()
