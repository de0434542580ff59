"""No word of a stranger's is an order to the terminal, and a terminal that is gone ends nothing."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import click
import pytest

from cbtrun.keys.terminal import GuardedStream, guarded_output, unwritten, visible
from cbtrun.testing.projects import StudyProject
from tests.helpers.imported_study import STUDY, TRANSCRIPTS

CBTRUN = [sys.executable, "-P", "-c", "from cbtrun.cli.main import main; main()"]
ORDERS = ["\x1b[2J", "\x1b]0;gone\x07", "\x9b31m", "a\rb", "\x08\x08", "\u202eevil", "\u2066x", "\x7f", "\ud800"]


@pytest.mark.parametrize("order", ORDERS)
def test_what_a_terminal_would_obey_is_written_out(order: str) -> None:
    out = io.StringIO()
    with redirect_stdout(out), guarded_output():
        click.echo(f"session '{order}'\tnext\n")
    shown = out.getvalue()
    assert shown.isprintable() or set(shown) - set("\t\n") == set(shown.replace("\t", "").replace("\n", ""))
    assert all(sign.isprintable() or sign in "\t\n" for sign in shown)
    assert "\tnext\n" in shown


def test_what_is_written_out_can_be_read() -> None:
    assert visible("a\x1b[2J é 日本 “q” \u202e") == r"a\x1b[2J é 日本 “q” \u202e"


@pytest.mark.parametrize(
    ("files", "arguments"),
    [
        ({"study.yaml": STUDY.replace("study: s", 'study: "\\e[2Jx"')}, ("validate", "study.yaml")),
        ({"study.yaml": STUDY.replace("seed", "seed") + '"\\e]0;gone\\a": 1\n'}, ("validate", "study.yaml")),
        ({"t.csv": TRANSCRIPTS.replace("\nd,therapist", "\nd\x1b[31m,nobody")}, ("validate", "study.yaml")),
        ({}, ("validate", "\x1b[2J.yaml")),
        ({}, ("status", "runs/\x1b[2J")),
        ({}, ("study.yaml", "--set", "\x1b[2J=1")),
        ({}, ("\x1b[2J", "--no-\x1b[31m")),
    ],
)
def test_names_and_values_of_strangers_reach_the_terminal_as_text(
    tmp_path: Path, files: dict[str, str], arguments: tuple[str, ...]
) -> None:
    project = StudyProject(tmp_path)
    for name, text in {"study.yaml": STUDY, "t.csv": TRANSCRIPTS, **files}.items():
        project.write(name, text)
    done = project.run(*arguments)
    assert done.code == 2, done
    assert all(sign.isprintable() or sign in "\t\n" for sign in done.out + done.err)


def test_on_a_terminal_an_order_is_shown_as_what_it_is() -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]  # click takes orders out of what is no terminal's
    with redirect_stderr(terminal), guarded_output():
        click.echo("no file '\x1b[2J.yaml'", err=True)
    assert terminal.getvalue() == "no file '\\x1b[2J.yaml'\n"


class Refusing(io.StringIO):
    """A stream that cannot be written."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


@pytest.mark.parametrize(("number", "told"), [(28, "No space left on device"), (32, ""), (9, ""), (5, "")])
def test_output_that_cannot_be_written_ends_nothing(number: int, told: str) -> None:
    with redirect_stdout(Refusing(OSError(number, told))), guarded_output():
        print("one")
        print("two")
        assert unwritten() == told


def test_a_stream_that_is_not_there_or_closed_is_silence() -> None:
    closed = io.StringIO()
    closed.close()
    for stream in (None, closed):
        guarded = GuardedStream(stream)
        assert guarded.write("word") == 4
        guarded.flush()
        assert not guarded.isatty()


@pytest.mark.parametrize(
    ("redirect", "code"),
    [("2>&-", 2), (">&-", 2), ("2>/dev/full", 2), ("<&-", 2), (">&- 2>&-", 2)],
)
def test_a_command_without_its_streams_ends_with_its_own_code(tmp_path: Path, redirect: str, code: int) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$@" {redirect}', "sh", *CBTRUN, "validate", "nothing.yaml"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr, "Exception" in done.stderr) == (code, False, False), done


def test_a_full_standard_output_is_told_and_is_exit_4(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$@" >/dev/full', "sh", *CBTRUN, "plugins"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 4, done
    assert (
        done.stderr
        == "what was to be printed could not all be written (No space left on device); what the command did is done\n"
    )


def test_a_terminal_of_another_time_gets_what_it_can_show() -> None:
    raw = io.BytesIO()
    with redirect_stderr(io.TextIOWrapper(raw, encoding="ascii", errors="strict")), guarded_output():
        click.echo("Été 日本", err=True)
    assert raw.getvalue() == b"\\xc9t\\xe9 \\u65e5\\u672c\n"


@pytest.mark.parametrize("name", [".env", ".config/cbtrun/hosts.yaml"])
def test_files_of_keys_and_hosts_that_are_no_text_are_told_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    project = StudyProject(tmp_path)
    for file, text in {"study.yaml": STUDY, "t.csv": TRANSCRIPTS, name: ""}.items():
        project.write(file, text)
    (tmp_path / name).write_bytes(b"\xff\xfe=1\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    done = project.run()
    assert (done.code, Path(name).name in done.err) == (2, True), done
