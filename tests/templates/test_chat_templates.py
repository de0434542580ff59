"""Chat templates that come with a model folder: transformers' text, within limits."""

from __future__ import annotations

from importlib.resources import files

import pytest

from cbtrun.templates.chat import ChatTemplateLimit, rendered_chat

MESSAGES = [{"role": "user", "content": "x" * 200}, {"role": "assistant", "content": "y"}]
LOOP, END = "{% for a in range(10000) %}", "{% endfor %}"

ENDLESS = (
    LOOP * 3 + END * 3,
    LOOP * 3 + "x" + END * 3,
    "{% if messages|length > 1 %}" + LOOP * 3 + END * 3 + "{% endif %}",
    "{% generation %}" + LOOP * 2 + END * 2 + "{% endgeneration %}",
    "{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}",
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "{% for a in [[1, 1]] recursive %}{{ loop([[1, 1], [1, 1]]) }}{% endfor %}",
    "{{ 'a' * 10 ** 10 }}",
    "{{ 10 ** 10 ** 10 }}",
    "{{ 'a'|center(10 ** 9) }}",
    "{{ ('a' * 100000).replace('', 'b' * 100000) }}",
    "{{ ('b' * 1000000).join(messages[0].content) }}",
    "{{ '%1000000000d'|format(1) }}",
    "{{ strftime_now('%Y' * 1000000) }}",
    "{{ [1, 2]|tojson(indent=10 ** 9) }}",
    "{% set ns = namespace(x='aa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{{ " + "(" * 20000,
)


@pytest.mark.parametrize("template", ENDLESS, ids=lambda text: text[:40])
def test_a_chat_template_that_would_not_end_is_refused(template: str) -> None:
    with pytest.raises(ChatTemplateLimit):
        rendered_chat(template, MESSAGES)


@pytest.mark.parametrize(
    "template",
    ["{{ ''.__class__.__mro__ }}", "{{ '{0.__class__}'.format(1) }}", "{{ messages.append(1) }}", "{{ dict.mro() }}", "{{ 'a'|attr('b') }}"],
)  # fmt: skip
def test_a_chat_template_reaches_no_object(template: str) -> None:
    with pytest.raises(Exception, match=r"has no|No filter|__mro__|is no|undefined"):
        rendered_chat(template, MESSAGES)


CHATS = [
    ["system: Be kind.", "user: One.", "assistant: <think>\nhm\n</think>\n\nTwo.", "user: Three.", "assistant: Four."],
    ["user: a", "assistant: b", "user: c"],
]


@pytest.mark.slow
def test_every_known_chat_template_gives_the_text_and_the_marks_that_transformers_gives() -> None:
    """All that TRL ships, some 70 families. Dates are fixed here, and an error is one there too."""
    from transformers.utils.chat_template_utils import render_jinja_template

    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "date_string": "26 Jul 2024"}
    templates = [path for path in (files("trl") / "chat_templates").iterdir() if path.name.endswith(".jinja")]
    compared = 0
    for path in templates:
        text = path.read_text(encoding="utf-8").replace("strftime_now(", "('26 Jul 2024', ")
        for lines in CHATS:
            chat = [dict(zip(("role", "content"), line.split(": ", 1), strict=True)) for line in lines]
            try:
                (wanted,), (spans,) = render_jinja_template(
                    [chat], chat_template=text, return_assistant_tokens_mask=True, add_generation_prompt=False, **names
                )
            except Exception:
                with pytest.raises(Exception):  # noqa: B017, PT011  # Jinja's errors are as many as templates
                    rendered_chat(text, chat, add_generation_prompt=False, **names)
                continue
            ours = rendered_chat(text, chat, add_generation_prompt=False, **names)
            assert (ours.text, list(ours.spans)) == (wanted, [tuple(span) for span in spans]), path.name
            compared += 1
    assert compared > 80


def test_a_template_that_asks_for_the_day_gets_the_same_one_always() -> None:
    assert rendered_chat("{{ strftime_now('%d %b %Y') }}", MESSAGES).text == "26 Jul 2024"
