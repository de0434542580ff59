"""Blocks that are like another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from cbtrun.errors import SpecError
from cbtrun.study.overrides import read_study

MODELS = """\
models:
  smol:    {using: vllm, model: there, temperature: 0.7, engine: {a: 1, b: 2}}
  shown:   {like: smol, temperature: 0.2, engine: {b: 3}}
  steady:  {like: shown, penalty: 1.2, temperature: null}
"""


def blocks(tmp_path: Path, text: str, *sets: str) -> dict[str, dict[str, object]]:
    file = tmp_path / "study.yaml"
    file.write_text(text, encoding="utf-8")
    read: dict[str, dict[str, object]] = read_study(file, sets).document.value["models"]
    return read


def test_a_block_has_what_it_is_like_and_what_it_says_itself(tmp_path: Path) -> None:
    found = blocks(tmp_path, MODELS)
    assert found["shown"] == {"using": "vllm", "model": "there", "temperature": 0.2, "engine": {"a": 1, "b": 3}}
    assert found["steady"] == {"using": "vllm", "model": "there", "penalty": 1.2, "engine": {"a": 1, "b": 3}}


def test_what_the_command_line_sets_reaches_every_block_that_is_like_it(tmp_path: Path) -> None:
    found = blocks(tmp_path, MODELS, "models.smol.model=here")
    assert [block["model"] for block in found.values()] == ["here"] * 3


@pytest.mark.parametrize(
    ("like", "said"),
    [
        ("smoll", "no block 'smoll' (did you mean 'smol'?)"),
        ("7", "got 7"),
        ("shown", "goes round in a circle: shown -> shown"),
        ("steady", "goes round in a circle: shown -> steady -> shown"),
    ],
)
def test_a_block_that_is_like_nothing_or_itself_is_refused(tmp_path: Path, like: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        blocks(tmp_path, MODELS.replace("shown:   {like: smol,", f"shown:   {{like: {like},"))
    assert said in str(caught.value)
    assert "study.yaml:3" in str(caught.value)
