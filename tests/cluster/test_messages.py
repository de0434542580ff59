"""Messages between driver and engine: small enough for Ray to hand on as they are, complete, in order, each with its own files."""

import json

from cbtrun.cluster.messages import MESSAGE_BYTES, Outbox, packed


def test_what_is_asked_at_once_travels_in_messages_of_bounded_size_and_in_order():
    asked = [(number, {"prompt": list(range(number * 7))}) for number in range(200)]
    messages = list(packed(asked))
    assert len(messages) > 1
    assert all(len(message) < MESSAGE_BYTES + 2 * len(asked) for message in messages)
    assert [tuple(one) for message in messages for one in json.loads(message)] == asked


def test_one_value_larger_than_a_message_travels_alone():
    large = "x" * (3 * MESSAGE_BYTES)
    assert [json.loads(message) for message in packed(["a", large, "b"])] == [["a"], [large], ["b"]]
    assert list(packed([])) == []


def test_words_come_in_order_with_their_own_files_however_many_looks_it_takes():
    outbox = Outbox()
    for number in range(300):
        files = {f"checkpoint-{number}": bytes([number % 251]) * 1000} if number % 3 == 0 else {}
        kind = "told" if files else "made"
        outbox.add(number, kind, {"step": number, "pad": "y" * 200}, files)
    seen = []
    looks = 0
    while outbox:
        words, files = outbox.take()
        looks += 1
        there = iter(files)
        for number, kind, values in json.loads(words):
            if kind == "told":
                assert {name: next(there) for name in values["files"]} == {
                    f"checkpoint-{number}": bytes([number % 251]) * 1000
                }
                assert values["values"]["step"] == number
            seen.append(number)
        assert next(there, None) is None
    assert seen == list(range(300))
    assert looks > 1
    assert outbox.take() == (b"[]", [])
