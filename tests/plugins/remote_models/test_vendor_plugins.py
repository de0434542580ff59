"""Anthropic's and Google's own SDKs against loopback servers; without an SDK the command that installs it is named."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from typing import Any

import pytest

from cbtrun.contract.models import ModelContext, Reply
from cbtrun.documents.schema import with_defaults
from cbtrun.errors import AccessRefused, ModelError, RateLimited, ServerFault
from cbtrun.keys.secrets import KeyRing
from cbtrun.plugins.remote_models import anthropic_messages, google_genai
from tests.helpers.chat_calls import KEY, QUICK, request
from tests.helpers.vendor_servers import VendorServer

PLUGINS: dict[str, Any] = {"anthropic": anthropic_messages, "google": google_genai}
NAMES = {"anthropic": "ANTHROPIC_API_KEY", "google": "GEMINI_API_KEY"}
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")  # inside Google's SDK
MODULES = {"anthropic": "anthropic", "google": "google.genai"}
SCHEMA = {"type": "object", "properties": {"score": {"type": "integer"}}, "required": ["score"]}


def installed(vendor: str) -> bool:
    try:
        return importlib.util.find_spec(MODULES[vendor]) is not None
    except ModuleNotFoundError:
        return False


def needs_sdk(vendor: str) -> Any:
    reason = f"needs the SDK: pip install 'cbtrun[{vendor}]'"
    return pytest.param(vendor, marks=pytest.mark.skipif(not installed(vendor), reason=reason))


VENDORS = [needs_sdk("anthropic"), needs_sdk("google")]


def context(vendor: str, url: str, **chosen: Any) -> ModelContext:
    block = {"model": "big", "base_url": url, "max_tokens": 50, "limits": QUICK, **chosen}
    options = with_defaults(block, PLUGINS[vendor].options_schema("models"))
    return ModelContext("m", options, keys=KeyRing({NAMES[vendor]: KEY}, {}, ((NAMES[vendor], "127.0.0.1"),)))


def asked(
    vendor: str, replies: list[Any], headers: dict[str, str] | None = None, **more: Any
) -> tuple[Any, VendorServer]:
    """The reply or the error, and what the server was sent."""

    async def ask() -> tuple[Any, VendorServer]:
        async with VendorServer(vendor, replies, headers) as server:
            model = PLUGINS[vendor].open_model(context(vendor, server.url, **more.pop("options", {})))
            try:
                return await model.reply(request(**more)), server
            except Exception as error:
                return error, server
            finally:
                await model.close()

    return asyncio.run(ask())


@pytest.mark.parametrize("vendor", VENDORS)
def test_words_come_back_with_their_tokens(vendor: str) -> None:
    reply, server = asked(vendor, ["Hello."])
    assert isinstance(reply, Reply)
    assert (reply.text, reply.tokens_in, reply.tokens_out, reply.finish) == ("Hello.", 7, 3, "stop")
    assert reply.served == "big-0901"
    assert KEY in str(server.headers)
    assert KEY not in str(server.bodies)


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("mode", ["TOOLS", "JSON_SCHEMA"])
def test_the_schema_is_sent_and_the_answer_is_text(vendor: str, mode: str) -> None:
    answer: Any = {"score": 3} if mode == "TOOLS" else '{"score": 3}'
    reply, server = asked(vendor, [answer], schema=SCHEMA, mode=mode)
    assert isinstance(reply, Reply), reply
    assert reply.text == '{"score": 3}'
    assert '"score"' in str(server.bodies).replace("'", '"')


@pytest.mark.parametrize("vendor", VENDORS)
def test_429_and_its_wait_reach_the_runner_after_a_single_try(vendor: str) -> None:
    error, server = asked(vendor, [(429, {"error": {"message": "slow down"}})], {"Retry-After": "7"})
    assert isinstance(error, RateLimited), error
    assert error.retry_after == 7
    assert len(server.bodies) == 1


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("fault", [(503, {"error": {"message": "away"}}), "drop"], ids=["503", "drop"])
def test_a_fault_reaches_the_runner_after_a_single_try(vendor: str, fault: Any) -> None:
    error, server = asked(vendor, [fault])
    assert isinstance(error, ServerFault), error
    assert len(server.bodies) == 1


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_is_refused_is_named_and_the_key_is_not(vendor: str) -> None:
    error, _ = asked(vendor, [(400, {"error": {"message": f"top_k is not known; key {KEY}"}})])
    assert type(error) is ModelError
    assert "top_k is not known; key ***" in str(error)
    error, _ = asked(vendor, [(401, {"error": {"message": "no such key"}})])
    assert isinstance(error, AccessRefused)


@pytest.mark.parametrize("vendor", VENDORS)
def test_fields_that_the_sdk_does_not_know_reach_the_server(vendor: str) -> None:
    """It is for the server to refuse them."""
    extra = {"generationConfig": {"topK": 40, "newest": True}, "newer": 1}
    reply, server = asked(vendor, ["Hello."], options={"extra_body": extra, "temperature": 0.5})
    assert isinstance(reply, Reply), reply
    (body,) = server.bodies
    assert body["newer"] == 1
    assert body["generationConfig"].items() >= extra["generationConfig"].items()
    assert '"temperature": 0.5' in json.dumps(body)


@pytest.mark.parametrize("vendor", ["anthropic", "google"])
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    for name in ("anthropic", "google", "google.genai"):
        monkeypatch.setitem(sys.modules, name, None)
    model = PLUGINS[vendor].open_model(context(vendor, "http://127.0.0.1:9"))
    with pytest.raises(ModelError, match=rf"pip install 'cbtrun\[{vendor}\]'"):
        asyncio.run(model.reply(request()))


@pytest.mark.parametrize("vendor", ["anthropic", "google"])
def test_the_identity_needs_neither_sdk_nor_key(vendor: str) -> None:
    identity = PLUGINS[vendor].open_model(context(vendor, "${SOME_URL}")).identity
    assert identity["model"] == "big"
    assert KEY not in str(identity)
