"""Templates that only write words are rendered once a length; whatever looks at the words is rendered each time."""

from __future__ import annotations

from importlib.resources import files
from random import Random
from typing import Any

import pytest

from cbtrun.plugins.local_models.chat_template import Chat, ChatTemplate
from cbtrun.plugins.local_models.plain_words import only_writes_words

FOLDER = files("trl") / "chat_templates"
NAMES = sorted(one.name for one in FOLDER.iterdir() if one.name.endswith(".jinja"))
SAID = (
    "I cannot sleep.",
    "</think> 5",
    "<think>hm</think>",
    "{{ x }}",
    '{"name": 1}',
    "<tool_call>",
    "[INST] a",
    "a\n\nb",
    "7",
    "\ue000",
)
TOKENS = (("bos_token", "<s>"), ("eos_token", "</s>"))


def dialogues() -> list[Chat]:
    draw = Random(3)
    said: list[Chat] = []
    for turns in range(1, 8):
        roles = [*(["system"] if turns % 3 == 0 else []), *(("user", "assistant")[n % 2] for n in range(turns))]
        said.append([{"role": role, "content": draw.choice(SAID)} for role in roles])
    return said


@pytest.mark.parametrize("name", NAMES)
def test_a_dialogue_is_put_together_as_its_template_renders_it(name: str) -> None:
    template = ChatTemplate((FOLDER / name).read_text(encoding="utf-8"), TOKENS)
    for chat in dialogues():
        for asks in (False, True):
            wanted = outcome(lambda: template.rendered(chat, add_generation_prompt=asks).text)  # noqa: B023  # called at once
            assert outcome(lambda: template.text(chat, add_generation_prompt=asks)) == wanted  # noqa: B023


def outcome(render: Any) -> str:
    try:
        return str(render())
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize(
    "body",
    [
        "{{ message.content }}",
        "{% set said = message['content'] | trim %}{{ message.role + said }}",
        "{% if message.role == 'user' and loop.first %}{{ 'A' ~ message.content.strip() }}{% endif %}",
        "{% if message.content is string %}{{ message.content }}{% endif %}",
        "{% if 'tool_calls' in message %}x{% else %}{{ message.content }}{% endif %}",
        "{% generation %}{{ message.content }}{% endgeneration %}",
    ],
)
def test_words_that_are_only_written(body: str) -> None:
    assert only_writes_words(
        "{% for message in messages %}" + body + "{% endfor %}{% if add_generation_prompt %}G{% endif %}"
    )


@pytest.mark.parametrize(
    "body",
    [
        "{% if '</think>' in message.content %}x{% endif %}{{ message.content }}",
        "{{ message.content.split('a')[0] }}",
        "{{ message.content | upper }}",
        "{{ message.content | length }}",
        "{{ message.get('content') }}",
        "{{ loop.previtem.content }}",
        "{{ message | tojson }}",
        "{{ messages | string }}",
        "{% set text = 'a' + message.content %}{{ text }}",
        "{% set said = message.content %}{% if said == 'a' %}x{% endif %}",
        "{% set ns = namespace(x='') %}{% set ns.x = message.content %}{% if ns.x %}x{% endif %}",
        "{% macro m(one) %}{{ one.content[0] }}{% endmacro %}{{ m(message) }}",
        "{% if messages[0].content %}x{% endif %}",
        "{{ 'x' if message.content == 'a' else 'y' }}",
        "{% for letter in message.content %}{{ letter }}-{% endfor %}",
        "{% set block %}{{ message.content }}{% endset %}{{ block | upper }}",
        "{% filter upper %}{{ message.content }}{% endfilter %}",
        "{% broken",
    ],
)
def test_words_that_are_looked_at(body: str) -> None:
    assert not only_writes_words("{% for message in messages %}" + body + "{% endfor %}")
