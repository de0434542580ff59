"""One transport for every vendor: a key goes to its own host, whatever servers, proxies and the environment say."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cbtrun.calls.server_gate import ServerGates
from cbtrun.calls.transport import Transport
from cbtrun.contract.models import Reply
from cbtrun.errors import AccessRefused, ModelError, RateLimited, ServerFault
from cbtrun.keys.proxies import proxy_for
from tests.helpers.chat_calls import KEY, request
from tests.helpers.raw_server import RawServer, answer_of, whole
from tests.helpers.remote_models import VENDORS, model_of

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")  # inside Google's SDK
CODES = (301, 302, 303, 307, 308)
PLACES = {
    "another port": "http://127.0.0.1:{port}/v1",
    "another host": "http://localhost:{port}/v1",
    "no scheme": "//127.0.0.1:{port}/v1",
    "a user name": "http://me:pass@127.0.0.1:{port}/v1",
    "a path": "/elsewhere",
    "nothing": "",
    "a control character": "http://127.0.0.1:{port}/\x1b[31m",
}


async def _reply(model: Any) -> Any:
    """What one call gives: the reply or the error."""
    try:
        return (await asyncio.gather(model.reply(request()), return_exceptions=True))[0]
    finally:
        await model.close()


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_no_redirect_is_followed_whatever_its_code_and_place(vendor: str, place: str) -> None:
    async def redirected(code: int) -> tuple[Any, int, int]:
        async with RawServer() as other:
            where = f"Location: {place.format(port=other.port)}"
            async with RawServer(lambda _: whole(b"", f"{code} Moved", where)) as server:
                found = await _reply(model_of(vendor, server.url))
            return found, len(server.heads), len(other.heads)

    for code in CODES:
        found, asked, elsewhere = asyncio.run(redirected(code))
        assert isinstance(found, AccessRefused), found
        assert str(found).startswith("the server sends us on to ")
        assert f"({code}); not followed" in str(found)
        assert str(found).isprintable()
        assert (asked, elsewhere) == (1, 0)


def test_another_scheme_or_port_is_another_server() -> None:
    for url in ("http://api.example/v1", "https://api.example:444/v1", "https://api.example.evil/v1"):
        with pytest.raises(AccessRefused, match="nothing was sent"):
            asyncio.run(Transport("https://api.example/v1").ask("POST", url, {}))


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("status", ["429 Slow", "500 Bad", "408 Late", "409 Conflict"])
def test_nothing_is_tried_again_below_the_runner(vendor: str, status: str) -> None:
    async def failed() -> tuple[Any, int]:
        async with RawServer(lambda _: whole(b"{}", status, "Retry-After: 0", "x-should-retry: true")) as server:
            return await _reply(model_of(vendor, server.url)), len(server.heads)

    found, asked = asyncio.run(failed())
    assert isinstance(found, RateLimited | ServerFault), found
    assert asked == 1


@pytest.mark.parametrize("vendor", VENDORS)
def test_no_password_file_and_no_other_key_of_the_environment_is_sent(
    vendor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password from-the-netrc\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, f"another-{name}")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Custom: another-header")

    async def asked() -> tuple[Any, list[str]]:
        async with RawServer(lambda _: whole(answer_of(vendor), "200 OK", "Set-Cookie: a=b")) as server:
            model = model_of(vendor, server.url)
            await model.reply(request())
            return await _reply(model), server.heads

    found, heads = asyncio.run(asked())
    assert isinstance(found, Reply), found
    assert len(heads) == 2
    for head in heads:
        assert head.count(KEY) == 1
        assert not any(word in head.lower() for word in ("from-the-netrc", "basic ", "another-", "cookie"))


@pytest.mark.parametrize("vendor", VENDORS)
def test_this_machine_is_never_asked_through_a_proxy(vendor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def asked() -> tuple[Any, int]:
        async with RawServer() as proxy, RawServer(lambda _: whole(answer_of(vendor))) as server:
            environ = dict.fromkeys(("HTTP_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"), proxy.url)
            for name, value in environ.items():
                monkeypatch.setenv(name, value)
            return await _reply(model_of(vendor, server.url, environ=environ)), len(proxy.heads)

    found, through_proxy = asyncio.run(asked())
    assert isinstance(found, Reply), found
    assert through_proxy == 0


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_proxy_sees_of_https_where_to_and_nothing_else(vendor: str) -> None:
    async def asked() -> tuple[Any, list[str]]:
        async with RawServer(lambda _: b"HTTP/1.1 407 Who are you\r\n\r\n") as proxy:
            url = "https://api.example"
            model = model_of(vendor, url, allowed=("api.example",), environ={"https_proxy": proxy.url})
            return await _reply(model), proxy.heads

    found, heads = asyncio.run(asked())
    assert isinstance(found, AccessRefused), found
    assert "does not let us through (407); check https_proxy" in str(found)
    assert [head.split("\r\n")[0] for head in heads] == ["CONNECT api.example:443 HTTP/1.1"]
    assert KEY not in heads[0]


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_proxy_that_could_read_the_key_is_refused_unless_it_was_allowed(vendor: str) -> None:
    async def asked(*allowed: str) -> tuple[Any, list[str]]:
        async with RawServer(lambda _: whole(answer_of(vendor))) as proxy:
            hosts = ("http://api.example", *(name.format(proxy=proxy.url) for name in allowed))
            model = model_of(vendor, "http://api.example", allowed=hosts, environ={"http_proxy": proxy.url})
            return await _reply(model), proxy.heads

    found, heads = asyncio.run(asked())
    assert isinstance(found, ModelError), found
    assert "the key in A_KEY would travel to api.example unencrypted through the proxy http://127.0.0.1:" in str(found)
    assert "or --allow-host A_KEY=http://127.0.0.1:" in str(found)
    assert heads == []
    found, heads = asyncio.run(asked("{proxy}"))
    assert isinstance(found, Reply), found
    assert heads[0].startswith("POST http://api.example/")


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({"https_proxy": "http://p:3128"}, "http://p:3128"),
        ({"HTTPS_PROXY": "p:3128"}, "http://p:3128"),
        ({"https_proxy": "http://small:1", "HTTPS_PROXY": "http://large:1"}, "http://small:1"),
        ({"ALL_PROXY": "http://p:3128"}, "http://p:3128"),
        ({"http_proxy": "http://p:3128"}, None),
        ({"https_proxy": "http://p:3128", "NO_PROXY": "api.example"}, None),
        ({"https_proxy": "http://p:3128", "no_proxy": "x, .example"}, None),
        ({"https_proxy": "http://p:3128", "no_proxy": "*"}, None),
        ({"https_proxy": "http://p:3128", "no_proxy": "i.example,example.org"}, "http://p:3128"),
    ],
)
def test_the_proxy_is_the_environments(environ: dict[str, str], proxy: str | None) -> None:
    assert proxy_for("https://api.example/v1", environ, "A_KEY") == proxy


def test_a_network_may_be_exempt_from_the_proxy() -> None:
    environ = {"https_proxy": "http://p:3128", "no_proxy": "10.0.0.0/8"}
    assert proxy_for("https://10.1.2.3/v1", environ) is None
    assert proxy_for("https://11.1.2.3/v1", environ) == "http://p:3128"


@pytest.mark.parametrize("proxy", ["socks5://p:1080", "http://", "http://p:99999"])
def test_a_proxy_that_cannot_be_used_is_named_by_its_variable_alone(proxy: str) -> None:
    with pytest.raises(
        ModelError, match=r"^the proxy in https_proxy cannot be used: it must be http://HOST:PORT"
    ) as told:
        proxy_for("https://api.example/v1", {"https_proxy": proxy})
    assert proxy not in str(told.value).replace("http://HOST:PORT", "")


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_model_has_one_record_of_terms_however_many_calls_it_makes(vendor: str) -> None:
    gates, model = ServerGates(), model_of(vendor, "http://127.0.0.1:9")
    terms = [model.terms for _ in range(100)]  # type: ignore[attr-defined]  # remote models have it
    assert len({id(one) for one in terms}) == 1
    assert len({len(gates.gate(one).kept) for one in terms}) == 1
