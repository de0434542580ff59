"""A structured answer through Instructor: every attempt a draw of its own through `reply`, bounded, never invented."""

import asyncio
import logging
from typing import Any

import pytest
from pydantic import ValidationInfo, model_validator

from cbtrun.calls.spoken import NotSpokenError
from cbtrun.calls.structured import Answer, Answered, Mode, answer_schema, ask
from cbtrun.contract.models import ChatMessage, Draw, Reply, Request
from cbtrun.errors import ModelError, StopRun
from tests.helpers.rating_fakes import ScriptedRater

MODES: list[Mode] = ["JSON", "TOOLS", "JSON_SCHEMA"]
REQUEST = Request((ChatMessage("system", "Count."), ChatMessage("user", "How many?")), Draw("rater", "subject"))


class Count(Answer):
    """A number that may not exceed the context."""

    number: int

    @model_validator(mode="after")
    def check(self, info: ValidationInfo) -> "Count":
        """Refuse a number over the context."""
        if info.context is not None and self.number > info.context:
            raise ValueError(f"more than {info.context}")
        return self


def asked(rater: ScriptedRater, request: Request = REQUEST, **options: Any) -> Answered[Count]:
    """The outcome of one `ask`."""
    return asyncio.run(ask(rater, request, Count, **options))


@pytest.mark.parametrize("mode", MODES)
def test_a_valid_answer_takes_one_call(mode: Mode) -> None:
    rater = ScriptedRater(['{"number": 3}'])
    answered = asked(rater, mode=mode)
    assert answered.value is not None
    assert answered.value.number == 3
    assert [request.messages for request in rater.requests] == [REQUEST.messages]


@pytest.mark.parametrize("mode", MODES)
def test_a_bad_answer_is_asked_again_with_its_errors_and_a_new_attempt(mode: Mode) -> None:
    rater = ScriptedRater(['{"number": "x"}', '{"number": 2}'])
    answered = asked(rater, mode=mode)
    assert answered.value is not None
    assert [request.draw.attempt for request in rater.requests] == [1, 2]
    *kept, bad, repair = rater.requests[1].messages
    assert tuple(kept) == REQUEST.messages
    assert (bad.role, bad.content) == ("assistant", '{"number": "x"}')
    assert repair.role == "user"
    assert "number: Input should be a valid integer" in repair.content
    assert [attempt.reason for attempt in answered.attempts] == ["number: Input should be a valid integer", None]


@pytest.mark.parametrize("mode", MODES)
def test_an_answer_that_stays_bad_is_no_answer_after_as_many_tries_as_allowed(mode: Mode) -> None:
    rater = ScriptedRater(["{}", "nonsense", '{"number": null}', '{"number": 1}'])
    answered = asked(rater, mode=mode, tries=3)
    assert answered.value is None
    assert answered.reason == "number: Input should be a valid integer"
    assert [attempt.text for attempt in answered.attempts] == ["{}", "nonsense", '{"number": null}']
    assert [request.draw.attempt for request in rater.requests] == [1, 2, 3]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply('{"number": 1}', finish="length"), "answer cut off at the token limit"),
        (Reply('{"number": 1}', finish="filter"), "answer blocked by a content filter"),
        (Reply('{"number": 1}', finish="content_filter"), "answer blocked by a content filter"),
        (Reply(" \n"), "empty answer"),
    ],
)
def test_a_cut_off_blocked_or_empty_reply_is_not_read(reply: Reply, reason: str) -> None:
    answered = asked(ScriptedRater([reply, reply]))
    assert (answered.value, answered.reason) == (None, reason)
    assert len(answered.attempts) == 2


def test_a_cut_off_reply_is_asked_again_as_it_was() -> None:
    rater = ScriptedRater([Reply('{"num', finish="length"), '{"number": 1}'])
    assert asked(rater).value is not None
    assert rater.requests[1].messages == REQUEST.messages
    assert rater.requests[1].draw.attempt == 2


def test_one_try_asks_once() -> None:
    rater = ScriptedRater(["{}", '{"number": 1}'])
    assert asked(rater, tries=1).value is None
    assert len(rater.requests) == 1


def test_the_validators_see_the_context() -> None:
    answered = asked(ScriptedRater(['{"number": 9}', '{"number": 9}']), context=5)
    assert answered.reason == "more than 5"


def test_contexts_of_answers_under_way_at_once_do_not_mix() -> None:
    async def both() -> list[Answered[Count]]:
        texts = ['{"number": 9}'] * 2
        return list(
            await asyncio.gather(*(ask(ScriptedRater([*texts]), REQUEST, Count, context=top) for top in (5, 10)))
        )

    first, second = asyncio.run(both())
    assert first.value is None
    assert second.value is not None


def test_template_marks_in_what_was_said_stay_as_they_are() -> None:
    said = "{{ 7 * 7 }} {% raw %} {{ undefined.attribute }}"
    request = Request((ChatMessage("user", said),), Draw("rater", "s"))
    rater = ScriptedRater(["{}", '{"number": 1}'])
    asked(rater, request, context={"7": 7})
    assert [one.messages[0].content for one in rater.requests] == [said, said]


def test_nothing_of_instructors_own_wording_is_in_the_first_request() -> None:
    rater = ScriptedRater(['{"number": 1}'])
    asked(rater)
    assert "genius" not in "".join(message.content for message in rater.requests[0].messages)


def test_every_request_carries_the_schema() -> None:
    rater = ScriptedRater(["{}", '{"number": 1}'])
    asked(rater)
    assert [request.schema for request in rater.requests] == [answer_schema(Count)] * 2


def test_a_code_fence_is_taken_off() -> None:
    answered = asked(ScriptedRater(['```json\n{"number": 1}\n```']))
    assert answered.value is not None
    assert answered.value.number == 1


def test_an_answer_that_was_thinking_alone_is_asked_for_again_and_says_why() -> None:
    silent = NotSpokenError("raise max_tokens", Reply("", finish="length", thinking="Let me see"))
    again = asked(ScriptedRater([silent, '{"number": 1}']))
    assert again.value is not None
    never = asked(ScriptedRater([silent, silent]))
    assert (never.value, never.reason) == (None, "raise max_tokens")
    assert all(attempt.unusable for attempt in never.attempts)


def test_prose_around_the_answer_is_not_searched_for_one() -> None:
    answered = asked(ScriptedRater(['The patient said {"number": 6}', "6"]))
    assert answered.value is None


@pytest.mark.parametrize("error", [ModelError("refused"), StopRun("no money"), RuntimeError("a bug")])
def test_an_error_of_the_model_passes_through_as_it_is(error: Exception) -> None:
    rater = ScriptedRater([error])
    with pytest.raises(type(error), match=str(error)) as raised:
        asked(rater)
    assert raised.value is error
    assert len(rater.requests) == 1


def test_a_cancelled_call_is_cancelled() -> None:
    class Hanging:
        async def reply(self, _: Request) -> Reply:
            await asyncio.sleep(60)
            raise AssertionError("never reached")

    async def cancel() -> None:
        task = asyncio.ensure_future(ask(Hanging(), REQUEST, Count))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())


def test_what_was_said_does_not_reach_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("instructor"), "propagate", False)  # pytest's own handler would hear it
    asked(ScriptedRater(["a secret"] * 2))
    assert capsys.readouterr().err == ""
