"""A key that comes back is taken out of every text, however it is written, and nothing else is."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from base64 import b64encode
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from urllib.parse import quote

import pytest

from cbtrun.keys.hiding import hide, remember
from cbtrun.keys.secrets import KeyRing, environment_without_keys
from cbtrun.keys.terminal import guarded_output

KEY = "sk-hide/This+Key_0123456789"
WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "capitals": str.upper,
    "small letters": str.lower,
    "JSON": lambda key: json.dumps(key).replace("/", "\\/"),
    "JSON, every character": lambda key: "".join(f"\\u{ord(one):04x}" for one in key),
    "JSON in JSON": lambda key: "".join(f"\\\\u{ord(one):04X}" for one in key),
    "every second character": lambda key: "".join(f"\\u{ord(one):04x}{two}" for one, two in _pairs(key)),
    "Python": lambda key: "".join(f"\\x{ord(one):02x}" for one in key),
    "octal": lambda key: "".join(f"\\{ord(one):03o}" for one in key),
    "URL": lambda key: quote(key, safe=""),
    "URL twice": lambda key: quote(quote(key, safe=""), safe=""),
    "URL, every character": lambda key: "".join(f"%{ord(one):02x}" for one in key),
    "HTML": lambda key: "".join(f"&#{ord(one)};" for one in key),
    "HTML, hexadecimal": lambda key: "".join(f"&#x{ord(one):X};" for one in key),
    "base64": lambda key: b64encode(key.encode()).decode(),
    "base64 with a name before": lambda key: b64encode(f"me:{key}!".encode()).decode(),
    "base64 of the header": lambda key: b64encode(f"Bearer {key}".encode()).decode(),
    "base64 of the header, URL-safe": lambda key: b64encode(f"Bearer {key}".encode(), b"-_").decode(),
    "hexadecimal": lambda key: key.encode().hex(),
    "over two lines": lambda key: f"{key[:9]}\n    {key[9:]}",
    "in quoted pieces": lambda key: f'"{key[:9]}" + "{key[9:]}"',
    "as UTF-16 read as bytes": "\0".join,
    "with what nobody sees": lambda key: f"{key[:9]}\u200b{key[9:]}",
    "as bytes": lambda key: repr(key.encode()),
}


def _pairs(key: str) -> list[tuple[str, str]]:
    return list(zip(key[::2], [*key[1::2], ""][: len(key[::2])], strict=True))


@pytest.mark.parametrize("written", WAYS.values(), ids=WAYS.keys())
def test_a_key_is_found_however_it_is_written(written: Callable[[str], str]) -> None:
    remember(KEY)
    shown = hide(f"before <{written(KEY)}> after")
    assert "***" in shown
    assert shown.startswith("before <")
    assert shown.endswith("> after")
    assert len(shown) < len("before <***> after") + 16  # of base64 the ends are not the key's alone


def test_what_is_no_key_stays_as_it_is() -> None:
    remember(KEY)
    for text in (
        "",
        "I feel 50% better.",
        "sk-hide",
        "\\u0073\\u006b",
        KEY[:-1],
        "sk hide/This+Key_0123456789",
        "x" * 9999,
    ):
        assert hide(text) is text or hide(text) == text


def test_a_short_word_is_no_key() -> None:
    remember("ollama")
    assert hide("I asked ollama about a llama") == "I asked ollama about a llama"


def test_every_key_that_a_ring_gave_out_is_known() -> None:
    KeyRing({"A_KEY": "given-out-by-the-ring"}, {}, (("A_KEY", "h"),)).key("A_KEY", "https://h/")
    assert hide("given-out-by-the-ring") == "***"


def test_nothing_that_is_printed_or_logged_shows_a_key() -> None:
    remember(KEY)
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        with guarded_output():
            print(f"out {KEY}")
            sys.stderr.write(f"err {KEY}\n")
            sys.stderr.writelines([f"lines {KEY}\n"])
            logging.StreamHandler().handle(logging.makeLogRecord({"msg": f"log {KEY}"}))
        hook = sys.excepthook
        try:
            raise RuntimeError(f"crash {KEY}") from ValueError(f"cause {KEY}")
        except RuntimeError as error:
            hook(RuntimeError, error, error.__traceback__)
    shown = out.getvalue() + err.getvalue()
    for word in ("out", "err", "lines", "log", "crash", "cause"):
        assert f"{word} ***" in shown
    assert KEY not in shown


def test_a_process_that_asks_no_server_is_started_without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    remember(KEY)
    held = {
        "OPENAI_API_KEY": "1",
        "DEEPINFRA_TOKEN": "2",
        "MY_SECRET": "3",
        "AWS_SECRET_ACCESS_KEY": "4",
        "HF_TOKEN": "5",
        "INNOCENT": f"x{KEY}x",
        "CUDA_VISIBLE_DEVICES": "0",
    }
    for name, value in held.items():
        monkeypatch.setenv(name, value)
    assert held.keys() & environment_without_keys().keys() == {"CUDA_VISIBLE_DEVICES"}
    assert held.keys() & environment_without_keys(keep=["HF_TOKEN"]).keys() == {"CUDA_VISIBLE_DEVICES", "HF_TOKEN"}


def test_processes_that_train_are_started_without_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cbtrun.errors import StageError
    from cbtrun.plugins.tuning.worker_processes import run_together

    remember(KEY)
    for name, value in {"OPENAI_API_KEY": "1", "HF_TOKEN": "2", "WANDB_API_KEY": "3", "OTHER": KEY}.items():
        monkeypatch.setenv(name, value)
    told: dict[str, str] = {}

    def start(*_: object, env: dict[str, str], **__: object) -> None:
        told.update(env)
        raise StageError("seen enough")

    monkeypatch.setattr("subprocess.Popen", start)
    with pytest.raises(StageError, match="seen enough"):
        run_together("any", tmp_path, 1, (), print)
    assert {"HF_TOKEN", "WANDB_API_KEY", "PATH"} <= told.keys()
    assert not {"OPENAI_API_KEY", "OTHER"} & told.keys()


def test_output_goes_on_into_nothing_when_its_reader_left() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe, redirect_stdout(pipe), guarded_output():
        for line in ("one", "two"):
            print(line, flush=True)  # a BrokenPipeError would end a run that is paid for
        print("unflushed")
