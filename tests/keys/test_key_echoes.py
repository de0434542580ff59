"""A server sends the key back in every way that the mock server knows: no file and no message has it."""

from __future__ import annotations

import gzip
import io
import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from cbtrun.errors import AccessRefused
from cbtrun.files.run_folder import RunFolder
from cbtrun.journal.exchange import export_journal
from cbtrun.keys.terminal import guarded_output
from cbtrun.plugins.mock_server.echoes import ECHOES
from cbtrun.plugins.mock_server.server import Fault, MockServer
from cbtrun.testing.projects import StudyProject
from tests.helpers.chat_calls import ask
from tests.helpers.network_studies import ALLOW, REPORTED, listening
from tests.helpers.remote_models import VENDORS, model_of

MakeProject = Callable[[Mapping[str, str]], StudyProject]
KEY = "sk-echo/Planted/0123456789"
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")  # inside Google's SDK
FORMS = (
    KEY,
    KEY.replace("/", "\\/"),
    "".join(f"\\u{ord(one):04x}" for one in KEY),
    quote(KEY, safe=""),
    quote(KEY, safe="").replace("-", "%2D"),
    b64encode(f"Bearer {KEY}".encode()).decode()[12:-4],
)
"""The key as a reader would know it again."""


def shows_key(content: bytes) -> list[str]:
    """The forms in which a file or an output has the key, its letters small or large, its characters together or not."""
    text = content.decode("utf-8", "replace").lower()
    together = "".join(text.split())
    return [form for form in FORMS if form.lower() in text or form.lower() in together]


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("kind", ECHOES)
def test_no_reply_error_journal_or_export_has_a_key_that_was_sent_back(vendor: str, kind: str, tmp_path: Path) -> None:
    def opened(url: str, **chosen: Any) -> Any:
        return model_of(vendor, url.removesuffix("/v1"), key=KEY, limits={"tries": 1}, **chosen)

    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out), guarded_output():
        heard = ask(tmp_path, [Fault(kind)], open_with=opened)
    (came_back,) = heard.replies
    export_journal(RunFolder(tmp_path), tmp_path / "export.gz")
    files = [path.read_bytes() for path in tmp_path.glob("journal.sqlite*")]
    exported = gzip.decompress((tmp_path / "export.gz").read_bytes())
    for content in (str(came_back).encode(), repr(came_back).encode(), exported, out.getvalue().encode(), *files):
        assert shows_key(content) == []
    assert heard.server.met == {kind: 1}
    assert heard.kept or heard.faults or isinstance(came_back, AccessRefused)


def test_no_file_and_no_output_of_a_run_has_a_key_that_was_sent_back(
    study_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [None, *(Fault(kind) for kind in ECHOES if kind != "echo-location")]
    with listening(MockServer(faults, remember=False)) as server:
        monkeypatch.setenv("MOCK_URL", server.url)
        project = study_project({"study.yaml": REPORTED, ".env": f"MOCK_KEY={KEY}\n"})
        outcome = project.run("study.yaml", *ALLOW)
    assert outcome.code == 3, outcome.err
    assert "***" in outcome.err
    assert shows_key((outcome.out + outcome.err).encode()) == []
    files = [path for path in project.folder.rglob("*") if path.is_file() and path.name != ".env"]
    assert {"journal.sqlite", "study.lock.yaml", "results.json", "report.html"} <= {path.name for path in files}
    assert [path.name for path in files if shows_key(path.read_bytes())] == []
    assert any(b"***" in path.read_bytes() for path in files)


def test_the_test_itself_knows_every_form_again() -> None:
    for form in FORMS:
        assert shows_key(json.dumps({"a": f"x{form.upper()}y"}).replace("\\\\", "\\").encode()) != []
