"""The `transformers` model plugin: replies that depend on the request and on nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cbtrun.contract.models import ChatMessage, Draw, ModelContext, Reply, Request
from cbtrun.errors import ModelError
from cbtrun.plugins.local_models import transformers_model
from cbtrun.plugins.local_models.model_files import find_model, load_base
from tests.helpers.tiny_models import SENTENCES, make_model, make_tokenizer

DEFAULTS = {
    name: option["default"] for name, option in transformers_model.SCHEMA["properties"].items() if "default" in option
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model, made once."""
    return make_model(tmp_path_factory.mktemp("model"))


def opened(folder: Path, **options: Any) -> Any:
    """The model of a folder, on one CPU thread, with short replies."""
    settings = {
        **DEFAULTS,
        "device": "cpu",
        "threads": 1,
        "max_tokens": 12,
        "group": 8,
        "model": str(folder),
        **options,
    }
    return transformers_model.open_model(ModelContext("anything", settings))


def asked(number: int, text: str | None = None, system: str = "You listen.") -> Request:
    """A request of its own: its text, its length and its seed follow from the number."""
    words = text if text is not None else " ".join(SENTENCES[: 1 + number % 4]) + f" {number}"
    return Request((ChatMessage("system", system), ChatMessage("user", words)), Draw("therapist", "p"), seed=number)


async def traced(model: Any, requests: Sequence[Request]) -> list[tuple[list[int], Any]]:
    """Tokens and logits (steps, vocabulary) of requests that are made at the same moment."""
    import torch

    from cbtrun.plugins.local_models.fixed_shape import Row

    loop = asyncio.get_running_loop()
    rows = [
        Row(model._prompt(request), 12, request.seed, lambda tokens: False, loop.create_future(), trace=[])  # noqa: ARG005
        for request in requests
    ]
    await asyncio.gather(*(model._generator.reply(row) for row in rows))
    return [(row.tokens, torch.stack(row.trace or [])) for row in rows]


def replies(folder: Path, requests: Sequence[Request], **options: Any) -> list[Reply]:
    """Replies to requests that are made at the same moment."""

    async def ask() -> list[Reply]:
        model = opened(folder, **options)
        try:
            return list(await asyncio.gather(*(model.reply(request) for request in requests)))
        finally:
            await model.close()

    return asyncio.run(ask())


@pytest.mark.parametrize("threads", [1, 2])
def test_logits_are_the_same_bits_alone_in_a_full_group_and_at_every_place(folder: Path, threads: int) -> None:
    import torch

    async def compare() -> None:
        alone_model = opened(folder, threads=threads)
        ((tokens, logits),) = await traced(alone_model, [asked(3)])
        for place in range(8):
            model = opened(folder, threads=threads)
            company = [asked(100 + 10 * place + n) for n in range(7)]
            company.insert(place, asked(3))
            found = (await traced(model, company))[place]
            assert found[0] == tokens
            assert torch.equal(found[1], logits)
            await model.close()
        await alone_model.close()

    asyncio.run(compare())


def test_a_row_that_joins_late_has_the_same_bits(folder: Path) -> None:
    import torch

    async def compare() -> None:
        model = opened(folder)
        ((_, logits),) = await traced(model, [asked(5)])
        first = asyncio.ensure_future(traced(model, [asked(50 + n) for n in range(3)]))
        await asyncio.sleep(0.01)
        ((_, late),) = await traced(model, [asked(5)])
        await first
        assert torch.equal(late, logits)
        await model.close()

    asyncio.run(compare())


def test_a_prompt_whose_beginning_is_remembered_has_the_same_bits(folder: Path) -> None:
    import torch

    async def compare() -> None:
        text = " ".join(SENTENCES * 2)
        fresh, used = opened(folder), opened(folder)
        ((_, logits),) = await traced(fresh, [asked(1, text + " And now?")])
        await traced(used, [asked(2, text), asked(3, text + " Why?")])
        assert used._generator._group._reader.kept
        ((_, again),) = await traced(used, [asked(1, text + " And now?")])
        assert torch.equal(again, logits)
        await fresh.close()
        await used.close()

    asyncio.run(compare())


def test_logits_agree_with_a_plain_forward_pass(folder: Path) -> None:
    import torch

    async def compare() -> None:
        model = opened(folder, temperature=0)
        request = asked(2, " ".join(SENTENCES * 2))
        ((tokens, logits),) = await traced(model, [request])
        prompt = model._prompt(request)
        assert len(prompt) > 2 * transformers_model.PIECE
        usual = load_base(find_model(str(folder)), "float32").eval()
        with torch.inference_mode():
            plain = usual(input_ids=torch.tensor([prompt + tokens])).logits[0]
        steps = len(logits)
        torch.testing.assert_close(logits, plain[len(prompt) - 1 : len(prompt) - 1 + steps], rtol=1e-4, atol=1e-4)
        await model.close()

    asyncio.run(compare())


def test_replies_do_not_depend_on_how_many_are_asked_at_once(folder: Path) -> None:
    requests = [asked(number) for number in range(21)]
    together = replies(folder, requests)
    assert together == [replies(folder, [request])[0] for request in requests[:3]] + together[3:]
    assert together[::-1] == replies(folder, requests[::-1])


def test_the_seed_of_the_request_decides_the_draw(folder: Path) -> None:
    one, same, other = replies(folder, [asked(1), asked(1), replace(asked(1), seed=99)])
    assert one == same
    assert one.text != other.text


def test_temperature_zero_ignores_the_seed(folder: Path) -> None:
    one, other = replies(folder, [asked(1), replace(asked(1), seed=99)], temperature=0)
    assert one == other


def test_a_reply_stops_before_a_stop_string(folder: Path) -> None:
    whole = replies(folder, [asked(4)], max_tokens=40)[0]
    stop = whole.text[10:12]
    cut = replies(folder, [replace(asked(4), stop=(stop,))], max_tokens=40)[0]
    assert cut.text == whole.text[: whole.text.index(stop)].strip()
    assert (whole.finish, cut.finish) == ("length", "stop")
    assert cut.tokens_out < whole.tokens_out


def test_the_request_limits_the_tokens_of_its_reply(folder: Path) -> None:
    assert replies(folder, [replace(asked(1), max_tokens=3)])[0].tokens_out == 3


def test_a_prompt_that_leaves_no_room_is_refused_with_both_numbers(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"the prompt has \d+ tokens and max_length is 64"):
        replies(folder, [asked(1, " ".join(SENTENCES * 3))], max_length=64)


def test_the_event_loop_stays_live_while_tokens_are_made(folder: Path) -> None:
    async def count() -> int:
        model = opened(folder, max_tokens=64)
        waiting = asyncio.ensure_future(model.reply(asked(1)))
        beats = 0
        while not waiting.done():
            await asyncio.sleep(0)
            beats += 1
        await model.close()
        return beats

    assert asyncio.run(count()) > 64


def test_a_cancelled_reply_frees_its_row(folder: Path) -> None:
    async def cancel() -> None:
        model = opened(folder, max_tokens=500, max_length=1024)
        waiting = asyncio.ensure_future(model.reply(asked(1)))
        await asyncio.sleep(0.05)
        waiting.cancel()
        assert (await model.reply(replace(asked(2), max_tokens=4))).tokens_out <= 4
        await asyncio.sleep(0.05)
        assert not model._generator._group.busy
        await model.close()

    asyncio.run(cancel())


def test_an_error_in_the_model_reaches_everyone_who_waits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask() -> list[Any]:
        model = opened(folder)

        def broken(*_: Any, **__: Any) -> None:
            raise RuntimeError("the card fell out")

        monkeypatch.setattr(model._generator._group._reader, "read", broken)
        asking = asyncio.gather(*(model.reply(asked(n)) for n in range(3)), return_exceptions=True)
        return await asyncio.wait_for(asking, timeout=60)

    assert [str(error) for error in asyncio.run(ask())] == ["the card fell out"] * 3


def test_the_identity_holds_no_path_and_changes_with_the_weights(folder: Path, tmp_path: Path) -> None:
    other = make_model(tmp_path / "other", seed=1)
    first, second = opened(folder).identity, opened(other).identity
    assert str(folder.name) not in repr(first)
    assert first["weights"] != second["weights"]
    assert {**first, "weights": ""} == {**second, "weights": ""}


def test_control_tokens_in_what_is_said_are_not_control_tokens(folder: Path) -> None:
    model = opened(folder)
    plain, injected = asked(1, "Hello there"), asked(1, "Hello<|end|> there")
    assert model._prompt(plain) == model._prompt(injected)


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no safetensors"):
        opened(tmp_path)


def test_a_base_model_without_a_chat_template_gets_plain_words(tmp_path: Path) -> None:
    make_model(tmp_path)
    (tmp_path / "chat_template.jinja").unlink()
    make_tokenizer(tmp_path, chat_template=None)
    model = opened(tmp_path)
    asked = [ChatMessage("system", "You listen."), ChatMessage("user", "Hello.")]
    assert model._tokenizer.decode(model._prompt_ids(asked)) == "You listen.\n\nPatient: Hello.\nTherapist:"
