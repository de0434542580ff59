"""A real yaml-language-server, asked as an editor asks it: over standard input and output, one file at a time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.places import ROOT

MARK = "|"
"""Where the cursor stands in a text."""


def node_modules() -> Path:
    """The folder with the packages `make editors` installs, or that CBTRUN_NODE_MODULES names. Skips without it."""
    folder = Path(os.environ.get("CBTRUN_NODE_MODULES") or ROOT / "build/node/node_modules")
    if shutil.which("node") is None or not (folder / "yaml-language-server").is_dir():
        pytest.skip("there is no node with yaml-language-server: `make editors` installs it")
    return folder


@dataclass
class YamlServer:
    """One server with one schema for every file."""

    process: subprocess.Popen[bytes]
    settings: Mapping[str, Any]
    configured: bool = False
    number: int = 0
    files: int = 0
    diagnosed: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def completions(self, marked: str) -> list[str]:
        """Labels that are offered where `|` stands in a text."""
        uri, text = self._opened(marked.replace(MARK, "", 1))
        before = marked[: marked.index(MARK)]
        place = {"line": before.count("\n"), "character": len(before) - (before.rfind("\n") + 1)}
        found = self.ask("textDocument/completion", {"textDocument": {"uri": uri}, "position": place})
        items = found["items"] if isinstance(found, Mapping) else found or []
        assert text
        return [item["label"] for item in items]

    def messages(self, text: str) -> list[str]:
        """What is wrong with a text, as the editor underlines it."""
        uri, _ = self._opened(text)
        while uri not in self.diagnosed:
            self.wait()
        return [one["message"] for one in self.diagnosed[uri]]

    def _opened(self, text: str) -> tuple[str, str]:
        self.files += 1
        uri = f"file:///somewhere/study-{self.files}.cbtrun.yaml"
        opened = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": opened})
        return uri, text

    def ask(self, method: str, params: Mapping[str, Any]) -> Any:
        """The result of a request; what else comes meanwhile is answered or noted."""
        self.number += 1
        wanted = self.number
        self._write({"id": wanted, "method": method, "params": params})
        while True:
            message = self._read()
            if message.get("id") == wanted and "method" not in message:
                return message.get("result")
            self._take(message)

    def wait(self) -> None:
        """Take the next message."""
        self._take(self._read())

    def tell(self, method: str, params: Mapping[str, Any]) -> None:
        """A notification."""
        self._write({"method": method, "params": params})

    def _take(self, message: Mapping[str, Any]) -> None:
        if message.get("method") == "textDocument/publishDiagnostics":
            self.diagnosed[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "id" in message and "method" in message:  # a question of the server's: settings, registrations
            asked = message["params"].get("items", []) if message["method"] == "workspace/configuration" else None
            answer = None if asked is None else [self.settings if one["section"] == "yaml" else None for one in asked]
            self._write({"id": message["id"], "result": answer})
            self.configured = self.configured or asked is not None

    def _write(self, message: Mapping[str, Any]) -> None:
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(content) + content)
        self.process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        length = 0
        while line := self.process.stdout.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        message: dict[str, Any] = json.loads(self.process.stdout.read(length))
        return message


@contextmanager
def yaml_server(schema: Path) -> Iterator[YamlServer]:
    """A server that holds every *.cbtrun.yaml against a schema."""
    program = node_modules() / "yaml-language-server/bin/yaml-language-server"
    process = subprocess.Popen(
        ["node", str(program), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    server = YamlServer(
        process,
        {
            "schemas": {schema.absolute().as_uri(): "*.cbtrun.yaml"},
            "completion": True,
            "validate": True,
            "schemaStore": {"enable": False},
        },
    )
    able = {"textDocument": {"completion": {"completionItem": {"snippetSupport": True}}}}
    server.ask("initialize", {"processId": None, "rootUri": None, "capabilities": able})
    server.tell("initialized", {})
    while not server.configured:
        server.wait()
    try:
        yield server
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
