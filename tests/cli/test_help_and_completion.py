"""Help in groups that no terminal of 80 columns cuts, and what the shell completes."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from cbtrun.cli.command_groups import GROUPS
from cbtrun.cli.main import cli


def test_every_command_stands_in_one_group_with_a_short_text() -> None:
    grouped = [name for commands in GROUPS.values() for name in commands]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) <= set(cli.commands)
    help_text = shown("--help")
    for title, commands in GROUPS.items():
        assert f"\n{title}:\n" in help_text
        assert all(text in help_text for text in commands.values())
    assert "Docs: " in help_text


@pytest.mark.parametrize(
    "command", ["", *sorted(name for name, one in cli.commands.items() if isinstance(one, click.Group))]
)
def test_a_list_of_commands_is_not_cut_at_eighty_columns(command: str) -> None:
    lines = shown(*command.split(), "--help").splitlines()
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if line.endswith("...") and not line.startswith("Usage")]


def test_a_command_of_no_group_is_listed_last(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command(help="Do something new.")
    def brandnew() -> None: ...

    monkeypatch.setitem(cli.commands, "brandnew", brandnew)
    assert "More:\n  brandnew" in shown("--help")


def shown(*arguments: str) -> str:
    return CliRunner(env={"COLUMNS": "80"}).invoke(cli, list(arguments), terminal_width=80).output


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "slow.yaml").write_text("study: slow\n")
    (tmp_path / "notes.txt").write_text("")
    for name in ("slow", "fast"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "results.json").write_text("{}")
    (tmp_path / "runs" / "none").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "incomplete", "offered"),
    [
        ((), "slow", {("plain", "slow.yaml")}),
        ((), "s", {("plain", name) for name in ("schema", "sheet", "slurm", "status", "slow.yaml")}),
        ((), "no", {("file", "no")}),
        ((), "../x", {("file", "../x")}),
        (("slow.yaml",), "--off", {("plain", "--offline")}),
        (("status",), "s", {("plain", "slow")}),
        (("compare", "slow"), "", {("plain", "slow"), ("plain", "fast")}),
        (("view",), "runs/s", {("dir", "runs/s")}),
        (("validate",), "sl", {("file", "sl")}),
    ],
)
def test_commands_studies_and_runs_are_completed(
    here: Path, typed: tuple[str, ...], incomplete: str, offered: set[tuple[str, str]]
) -> None:
    found = ShellComplete(cli, {}, "cbtrun", "_CBTRUN_COMPLETE").get_completions(list(typed), incomplete)
    assert {(one.type, one.value) for one in found} == offered
    assert here.exists()
