"""The embedded model's recipe: dialogue that copies, is split cleanly, and always comes out the same."""

from __future__ import annotations

import re
from itertools import pairwise
from random import Random

import pytest

from cbtrun.plugins.dialogue.therapist_prompt import THERAPIST_SYSTEM
from cbtrun.plugins.tiny.recipe.dialogue import FOLDER, Chat, conversation, recipe
from cbtrun.plugins.tiny.recipe.templates import UNKNOWN, parse, say_back
from cbtrun.plugins.tiny.recipe.words import is_held_out
from cbtrun.plugins.tiny.tokens import CHAT_TEMPLATE, chat_text

CHATS = [conversation(f"test/{i}") for i in range(300)]
ROLES = [role.name for role in recipe(held=False).roles]


def rendered(chat: Chat) -> str:
    """The conversation as Jinja renders the shipped template, generation markers dropped."""
    import jinja2

    plain = re.sub(r"\{%-? (end)?generation -?%\}", "", CHAT_TEMPLATE)
    return jinja2.Environment(autoescape=False).from_string(plain).render(messages=chat, add_generation_prompt=False)


def test_the_same_seed_gives_the_same_conversation() -> None:
    assert conversation("a") == conversation("a")
    assert conversation("a") != conversation("b")


@pytest.mark.parametrize("role", ROLES)
def test_every_role_speaks_in_turn_from_a_system_prompt_to_an_assistants_farewell(role: str) -> None:
    for i in range(20):
        parts = [message["role"] for message in conversation(f"{role}/{i}", role=role)]
        assert parts[0] == "system"
        assert parts[-1] == "assistant"
        assert all(a != b for a, b in pairwise(parts))


def test_no_slot_bracket_or_unknown_fact_is_ever_spoken() -> None:
    spoken = " ".join(message["content"] for chat in CHATS for message in chat)
    assert not re.search(rf"[<>|{UNKNOWN}]", spoken)


def test_every_turn_ends_like_a_sentence() -> None:
    assert {message["content"][-1] for chat in CHATS for message in chat[1:]} <= set('.?!"')


def test_most_listener_turns_take_up_words_of_the_turn_before() -> None:
    taken_up = turns = 0
    for i in range(60):
        chat = conversation(f"copy/{i}", role="listener")
        for before, message in pairwise(chat):
            if before["role"] == "user" and message["role"] == "assistant":
                said = set(re.findall(r"[a-z]{5,}", before["content"].lower()))
                turns += 1
                taken_up += bool(said & set(re.findall(r"[a-z]{5,}", message["content"].lower())))
    assert taken_up / turns > 0.6


def test_made_up_words_of_held_out_dialogue_never_occur_in_training() -> None:
    makers = {held: recipe(held).grammar.makers["made_noun"] for held in (False, True)}
    rng = Random(1)
    assert all(is_held_out(makers[True](rng)) for _ in range(200))
    assert not any(is_held_out(makers[False](rng)) for _ in range(200))


def test_jobs_and_names_are_split_between_training_and_held_out() -> None:
    train, held = recipe(held=False).grammar.lists, recipe(held=True).grammar.lists
    for name in ("job", "known_name", "hobby"):
        assert held[name]
        assert not set(held[name]) & set(train[name])


def test_what_is_said_back_changes_person() -> None:
    assert say_back("my boss saw me when I was late, and I'm sorry") == (
        "your boss saw you when you were late, and you're sorry"
    )


def test_unbalanced_brackets_in_a_phrase_are_refused() -> None:
    with pytest.raises(ValueError, match="unbalanced"):
        parse("(one|two")


def test_listener_is_never_taught_the_methods_of_cbt() -> None:
    methods = r"homework|agenda|evidence|zero to ten|percent|summar|experiment|distortion|automatic thought"
    for i in range(200):
        chat = conversation(f"plain/{i}", role="listener")
        assert not re.search(methods, " ".join(m["content"] for m in chat if m["role"] == "assistant").lower())


def test_methods_of_cbt_are_met_in_other_roles() -> None:
    spoken = " ".join(
        message["content"].lower() for chat in CHATS for message in chat if message["role"] == "assistant"
    )
    for word in ("homework", "agenda", "evidence", "percent", "sum up", "feedback"):
        assert word in spoken


def test_template_renders_training_text() -> None:
    assert rendered(CHATS[0]) == chat_text(CHATS[0])


def test_recipe_files_are_short() -> None:
    assert all(len(file.read_text(encoding="utf-8").splitlines()) < 500 for file in FOLDER.rglob("*.yaml"))


def test_therapists_usual_prompt_is_not_copied_into_the_recipe() -> None:
    assert all(chat[0]["content"] != THERAPIST_SYSTEM for chat in CHATS)
