"""A GGUF file as a model: its head within bounds, its folder made once."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from cbtrun.contract.digests import file_digest
from cbtrun.errors import ModelError
from cbtrun.plugins.local_models import gguf_model
from cbtrun.plugins.local_models.gguf_header import MOST_ENTRIES, Head, read_head
from cbtrun.plugins.local_models.model_files import find_model, model_folder
from cbtrun.testing.projects import StudyProject
from tests.helpers.tiny_models import make_model


def text(words: str) -> bytes:
    return struct.pack("<Q", len(words)) + words.encode()


def setting(name: str, words: str) -> bytes:
    return text(name) + struct.pack("<I", 8) + text(words)


def tensor(*shape: int) -> bytes:
    return text("token_embd.weight") + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, 0)


def gguf(
    path: Path, *, architecture: str = "llama", more: bytes = b"", keys: int = 1, shape: tuple[int, ...] = (8, 4)
) -> Path:
    """A file with a head and as many zeros as its tensor has bytes."""
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, keys) + setting("general.architecture", architecture) + more
    path.write_bytes(head + tensor(*shape) + bytes(128))
    return path


def listed(entries: int, kind: int = 4) -> bytes:
    return text("tokenizer.ggml.token_type") + struct.pack("<IIQ", 9, kind, entries)


def test_a_head_says_its_architecture_and_how_many_weights_there_are(tmp_path: Path) -> None:
    path = gguf(tmp_path / "a.gguf", more=listed(3) + struct.pack("<3I", 1, 2, 3), keys=2)
    assert read_head(path) == Head("llama", 32)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda path: path.write_bytes(b"PK\x03\x04"), "does not begin as one"),
        (lambda path: path.write_bytes(path.read_bytes()[:60]), "ends too early"),
        (lambda path: path.write_bytes(b"GGUF" + struct.pack("<IQQ", 1, 1, 1)), "version 1; read: 2, 3"),
        (lambda path: path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, 2**60)), "settings, and at most 10,000"),
        (lambda path: gguf(path, more=listed(MOST_ENTRIES + 1), keys=2), "entries of a list, and at most"),
        (lambda path: gguf(path, more=listed(1, 9), keys=2), "ends too early|a value of kind"),
        (lambda path: gguf(path, shape=(2**40, 2**20)), "weights, and at most"),
        (lambda path: gguf(path, more=text("x") + struct.pack("<I", 99), keys=2), "a value of kind 99"),
    ],
)
def test_a_file_of_no_model_is_refused_before_it_is_read(
    tmp_path: Path, change: Callable[[Path], object], why: str
) -> None:
    path = gguf(tmp_path / "a.gguf")
    change(path)
    with pytest.raises(ModelError, match=rf"a\.gguf: no GGUF file that can be read .*({why})"):
        model_folder(str(path))


def test_a_file_is_converted_once_and_known_by_its_own_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(gguf_model, "has_reader", lambda: True)
    made, path = make_model(tmp_path / "made"), gguf(tmp_path / "a.gguf")
    written = []

    def write(_path: Path, _head: Head, part: Path) -> None:
        written.append(part)
        shutil.copytree(made, part, dirs_exist_ok=True)

    monkeypatch.setattr(gguf_model, "_write", write)
    assert model_folder(str(path)) is None  # nothing is converted where a study is only checked
    found = find_model(str(path))
    assert (found.digest, found.public_name) == (file_digest(path), "local")
    assert find_model(str(path)) == found
    assert len(written) == 1
    assert model_folder(str(path)) == Path(found.source)
    assert [one.name for one in Path(found.source).parent.iterdir()] == [Path(found.source).name]


def test_what_transformers_does_not_read_is_told_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(gguf_model, "has_reader", lambda: True)
    with pytest.raises(
        ModelError, match=r"its architecture is 'whisper', which transformers does not read; read: .*llama"
    ):
        find_model(str(gguf(tmp_path / "a.gguf", architecture="whisper")))
    assert list((tmp_path / "cache/cbtrun/gguf").iterdir()) == []


def test_a_study_names_a_file_or_a_folder_with_it(study_project: Callable[..., StudyProject]) -> None:
    study = """
cbtrun: 1
study: s
seed: 1
contains: none
models: {m: {using: transformers, model: BASE}, patient: {using: scripted-patient}}
personas: {p: {using: sampled, attributes: depression, count: 1}}
arms: {a: {therapist: m}}
sessions: {using: dialogue, patient: patient, personas: p}
"""
    project = study_project({"study.yaml": study})
    path = gguf(project.folder / "a.gguf")
    for base in (f"{path}", f"{project.folder}, gguf_file: a.gguf"):
        (project.folder / "study.yaml").write_text(study.replace("BASE", base))
        assert project.run("validate", "study.yaml").code == 0
    path.write_bytes(b"GGU")
    assert "no GGUF file that can be read" in project.run("validate", "study.yaml").err
    path.unlink()
    assert "no GGUF file" in project.run("validate", "study.yaml").err
