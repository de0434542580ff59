"""Calls go to servers whose certificate is trusted, and to no other."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest
import trustme
from aiohttp import web

from cbtrun.contract.models import ModelContext
from cbtrun.errors import AccessRefused
from cbtrun.keys.secrets import KeyRing
from cbtrun.plugins.remote_models.openai_chat import open_model
from tests.helpers.chat_calls import KEY, options, request


async def _asked(certificate: trustme.LeafCert) -> tuple[Any, list[str]]:
    """What a call to a TLS server with this certificate gives, and the keys that the server saw."""
    seen: list[str] = []

    async def serve(call: web.Request) -> web.Response:
        seen.append(call.headers.get("Authorization", ""))
        message = {"role": "assistant", "content": "heard"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return web.json_response({"model": "m", "choices": [choice], "usage": {}})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    url = f"https://127.0.0.1:{runner.addresses[0][1]}/v1"
    keys = KeyRing({"MOCK_URL": url, "MOCK_KEY": KEY}, {}, (("MOCK_KEY", "127.0.0.1"),))
    model = open_model(ModelContext("m", options(api_key_env="MOCK_KEY"), keys=keys))
    try:
        return (await asyncio.gather(model.reply(request()), return_exceptions=True))[0], seen
    finally:
        await model.close()
        await runner.cleanup()


def test_a_server_with_an_unknown_certificate_gets_no_word_and_no_key() -> None:
    found, seen = asyncio.run(_asked(trustme.CA().issue_cert("127.0.0.1")))
    assert isinstance(found, AccessRefused)
    assert "no trusted connection" in str(found)
    assert KEY not in str(found)
    assert seen == []


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """One that this process trusts, as one in SSL_CERT_FILE is: aiohttp reads that once, when it is imported."""
    trusted = trustme.CA()
    context = ssl.create_default_context()
    trusted.configure_trust(context)
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", context)
    return trusted


def test_a_server_whose_authority_the_user_trusts_is_called(authority: trustme.CA) -> None:
    found, seen = asyncio.run(_asked(authority.issue_cert("127.0.0.1")))
    assert getattr(found, "text", found) == "heard"
    assert seen == [f"Bearer {KEY}"]


def test_a_certificate_of_another_host_is_refused(authority: trustme.CA) -> None:
    found, seen = asyncio.run(_asked(authority.issue_cert("elsewhere.example")))
    assert isinstance(found, AccessRefused)
    assert seen == []
