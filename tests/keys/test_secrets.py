"""Keys come from the environment, go to their own hosts, and never reach a file, a message or a traceback."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.errors import ModelError
from cbtrun.keys.addresses import expand_address
from cbtrun.keys.secrets import KeyRing, Secret, key_ring, read_dotenv
from cbtrun.plugins.mock_server.server import Fault, MockServer
from cbtrun.testing.projects import StudyProject
from tests.helpers.chat_calls import KEY, ask, model_at
from tests.helpers.network_studies import ALLOW, REPORTED, STUDY, listening

MakeProject = Callable[[Mapping[str, str]], StudyProject]


def ring(*allowed: tuple[str | None, str], **environ: str) -> KeyRing:
    return KeyRing(environ, {}, allowed)


def test_a_vendors_key_goes_to_that_vendor() -> None:
    key = ring(DEEPSEEK_API_KEY="sk-1").key("DEEPSEEK_API_KEY", "https://api.deepseek.com/v1")
    assert key is not None
    assert key.reveal() == "sk-1"


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DEEPSEEK_API_KEY", "https://evil.example/v1"),
        ("DEEPSEEK_API_KEY", "https://api.deepseek.com.evil.example/v1"),
        ("DEEPSEEK_API_KEY", "https://api.openai.com/v1"),
        ("AWS_SECRET_ACCESS_KEY", "https://api.deepseek.com/v1"),
        ("DEEPSEEK_API_KEY", "http://localhost:8000/v1"),
    ],
)
def test_a_key_goes_nowhere_else_and_the_refusal_says_what_would_allow_it(name: str, url: str) -> None:
    with pytest.raises(ModelError, match=f"{name} is not sent to .*--allow-host {name}=") as raised:
        ring(**{name: "sk-1"}).key(name, url)
    assert "sk-1" not in str(raised.value)


@pytest.mark.parametrize("allowed", [(None, "gpu.lab"), ("LAB_KEY", "gpu.lab"), ("LAB_KEY", "https://gpu.lab:8443")])
def test_the_user_may_allow_a_host(allowed: tuple[str | None, str]) -> None:
    assert ring(allowed, LAB_KEY="k").key("LAB_KEY", "https://gpu.lab:8443/v1") is not None


def test_leave_for_one_key_is_no_leave_for_another() -> None:
    with pytest.raises(ModelError, match="OPENAI_API_KEY is not sent to gpu"):
        ring(("LAB_KEY", "gpu.lab"), OPENAI_API_KEY="k").key("OPENAI_API_KEY", "https://gpu.lab/v1")


def test_a_key_does_not_travel_unencrypted_unless_the_server_is_allowed_as_such() -> None:
    with pytest.raises(ModelError, match="unencrypted"):
        ring(("LAB_KEY", "gpu.lab"), LAB_KEY="k").key("LAB_KEY", "http://gpu.lab:8000/v1")
    assert ring(("LAB_KEY", "http://gpu.lab:8000"), LAB_KEY="k").key("LAB_KEY", "http://gpu.lab:8000/v1") is not None


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ModelError, match="set DEEPSEEK_API_KEY in the environment"):
        ring().key("DEEPSEEK_API_KEY", "https://api.deepseek.com/v1")


def test_a_key_that_no_header_can_carry_is_refused_without_showing_it() -> None:
    with pytest.raises(ModelError, match="characters that no header can carry") as raised:
        ring(DEEPSEEK_API_KEY="sk\nX-Evil: 1").key("DEEPSEEK_API_KEY", "https://api.deepseek.com/v1")
    assert "Evil" not in str(raised.value)


def test_a_dotenv_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# keys\nexport A_KEY='one two'\nB_KEY=three # mine\n\nnonsense\n")
    assert read_dotenv(tmp_path / ".env") == {"A_KEY": "one two", "B_KEY": "three"}
    keys = KeyRing({"B_KEY": "four"}, read_dotenv(tmp_path / ".env"), ((None, "h"),))
    found = keys.key("B_KEY", "https://h/")
    assert found is not None
    assert found.reveal() == "four"


def test_hosts_of_the_users_config_file_are_allowed(tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text("LAB_KEY: [gpu.lab, http://other.lab:8000]\nMINE: one.example\n")
    keys = key_ring(["X=y.example", "z.example"], config=tmp_path / "hosts.yaml", dotenv=tmp_path / ".env")
    assert keys.allowed == (
        ("X", "y.example"),
        (None, "z.example"),
        ("LAB_KEY", "gpu.lab"),
        ("LAB_KEY", "http://other.lab:8000"),
        ("MINE", "one.example"),
    )


def test_a_broken_config_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text("- not a mapping\n")
    with pytest.raises(ModelError, match=r"hosts\.yaml: expected lines like"):
        key_ring(config=tmp_path / "hosts.yaml", dotenv=tmp_path / ".env")


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("https://evil.example/${OPENAI_API_KEY}", "may not stand in an address"),
        ("https://${AWS_SECRET_ACCESS_KEY}.evil.example", "may not stand in an address"),
        ("https://evil.example/${DATABASE_URL}", "can only begin one"),
        ("${DATABASE_URL}", "must begin with https://"),
        ("${UNSET_URL}", "UNSET_URL is not set"),
        ("https://me:pass@host.example/v1", "must not hold a user name"),
        ("https://host.example/v1?key=1", "must not hold a query"),
        ("https://host.example/a b", "not a valid address"),
        ("ftp://host.example", "must begin with https://"),
        ("https://host.example:99999", "not a valid address"),
        ("https://evil.example/${AUTH_HOST}", "can only be the whole host"),
        ("https://evil.example/${GPU_PORT}", "can only be the whole port"),
        ("https://evil.example:${AUTH_HOST}/v1", "can only be the whole host"),
        ("https://${AUTH_HOST}.evil.example/v1", "can only be the whole host"),
        ("https://me@${AUTH_HOST}/v1", "can only be the whole host"),
        ("https://evil.example/://${AUTH_HOST}", "can only be the whole host"),
        ("https://host.example:8${GPU_PORT}/v1", "can only be the whole port"),
        ("https://${GHOST}/v1", "the last word of its name must be one of"),
        ("https://${PASSPORT}/v1", "the last word of its name must be one of"),
        ("${PRODUCTION_DATABASE}/v1", "the last word of its name must be one of"),
        ("${LAN_URL}.evil.example", "can only begin one, with a path after it"),
        ("${LAN_URL}@evil.example", "can only begin one, with a path after it"),
        ("https://${AUTH_HOST}/v1", "the environment variable AUTH_HOST holds no host"),
        ("https://host.example:${AUTH_PORT}/v1", "the environment variable AUTH_PORT holds no port"),
    ],
)
def test_an_address_cannot_carry_a_secret_away(address: str, what: str) -> None:
    environ = {"OPENAI_API_KEY": "sk-1", "AWS_SECRET_ACCESS_KEY": "s3", "DATABASE_URL": "postgres://me:pw@db/x"}
    environ |= {"AUTH_HOST": "a/secret", "AUTH_PORT": "s3cret", "GPU_PORT": "8181", "LAN_URL": "http://lan.example"}
    environ |= {"GHOST": "boo", "PASSPORT": "C01X", "PRODUCTION_DATABASE": "http://db.example"}
    with pytest.raises(ModelError, match=what) as raised:
        expand_address(address, environ)
    assert not any(value in str(raised.value) for value in environ.values())


def test_variables_that_hold_addresses_are_filled_in() -> None:
    environ = {"VLLM_URL": "http://localhost:8000/v1/", "GPU_HOST": "gpu1.lab", "GPU_PORT": "81"}
    assert expand_address("${VLLM_URL}", environ) == "http://localhost:8000/v1"
    assert expand_address("https://${GPU_HOST}:${GPU_PORT}/v1", environ) == "https://gpu1.lab:81/v1"


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = Secret(KEY)
    assert KEY not in f"{secret} {secret!r} {[secret]} {KeyRing({'A': KEY}, {'B': KEY})!r}"


def test_a_key_that_the_server_sends_back_is_taken_out_of_errors_and_replies(tmp_path: Path) -> None:
    said = ask(tmp_path, [Fault("echo")], api_key_env="MOCK_KEY")
    assert "bad credentials: Bearer ***" in said.error
    shown = "".join(traceback.format_exception(said.replies[0]))  # type: ignore[arg-type]  # it is the error
    assert KEY not in shown
    echoing = {"answer": lambda _: f"your key is {KEY}"}
    assert ask(tmp_path, server=echoing, api_key_env="MOCK_KEY").texts == ["your key is ***"]


def test_a_local_servers_dummy_key_may_be_said(tmp_path: Path) -> None:
    keys = {"open_with": lambda url, **chosen: model_at(url, key="EMPTY", **chosen)}
    heard = ask(tmp_path, server={"answer": lambda _: "I feel EMPTY"}, api_key_env="MOCK_KEY", **keys)  # type: ignore[arg-type]
    assert heard.texts == ["I feel EMPTY"]


def test_the_key_travels_in_the_header_and_nowhere_else(tmp_path: Path) -> None:
    heard = ask(tmp_path, api_key_env="MOCK_KEY")
    assert heard.server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in str(heard.server.bodies)


def test_no_byte_of_a_run_folder_or_of_the_output_holds_the_key(
    study_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [Fault("echo"), Fault("500"), None, Fault("429", seconds=0.01)]
    with listening(MockServer(faults, answer=_telling)) as server:
        monkeypatch.setenv("MOCK_URL", server.url)
        project = study_project({"study.yaml": REPORTED, ".env": f"MOCK_KEY={KEY}\n"})
        outcome = project.run("study.yaml", *ALLOW)
    assert outcome.code == 3  # the call that was refused is a failed unit
    assert "***" in outcome.err
    assert KEY not in outcome.out + outcome.err
    files = [path for path in project.folder.rglob("*") if path.is_file() and path.name != ".env"]
    assert {"journal.sqlite", "study.lock.yaml", "results.json"} <= {path.name for path in files}
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert any(b"your key is ***" in path.read_bytes() for path in files)


def _telling(body: Mapping[str, object]) -> str:
    from cbtrun.plugins.mock_server.answers import default_answer

    answer = default_answer(body)
    return answer if answer.startswith("{") else f"{answer} By the way, your key is {KEY}."


def test_a_strangers_study_cannot_send_a_key_to_its_own_host(
    study_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(MockServer()) as server:
        monkeypatch.setenv("MOCK_URL", server.url)
        monkeypatch.setenv("MOCK_KEY", KEY)
        outcome = study_project({"study.yaml": STUDY}).run()
    assert outcome.code == 2
    assert "study.yaml:11:18: models/therapist/api_key_env: the key in MOCK_KEY is not sent to 127.0.0.1" in outcome.err
    assert "3 problems; nothing was run." in outcome.err
    assert server.calls == 0
    assert KEY not in outcome.err
