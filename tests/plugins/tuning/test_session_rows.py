"""Sessions as rows: no token but the policy's own ever carries loss, whatever the template and whatever a patient says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from cbtrun.contract.models import ChatMessage
from cbtrun.errors import ModelError
from cbtrun.plugins.local_models.chat_template import template_of
from cbtrun.plugins.tuning.grpo_trainer import train_by_reinforcement
from cbtrun.plugins.tuning.session_rows import PrefixBroken, Said, SessionFormat, Tokens
from tests.helpers.families import family_model, family_tokenizer
from tests.helpers.made_up_sessions import MadeUpSessions, training_on
from tests.helpers.seen_loss import seen_loss

SHORTENING = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['role'] == 'assistant' and not loop.last %}...{% else %}"
    "{{ m['content'] }}{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Leaves out what was said earlier."""
SHOUTING = SHORTENING.replace("...", "{{ m['content'] | upper }}")
"""Writes it in capitals."""
SAID = (
    Said((ChatMessage("system", "Be kind."),), "Hello.", 0, True),
    Said(
        (ChatMessage("system", "Be kind."), ChatMessage("assistant", "Hello."), ChatMessage("user", "Hm.")),
        "Yes.",
        0,
        True,
    ),
)


def learnt_by(
    family: str,
    folder: Path,
    template: str = "",
    tokens_of: Callable[[SessionFormat, Sequence[Said]], Tokens] = SessionFormat.tokens,
) -> list[tuple[str, str]]:
    """Of each session what its loss moved, and what the policy had said."""
    model = family_model(family, folder / "model", hidden=16, layers=1)
    training, form = training_on(str(model), folder / "adapter", template)
    sessions = MadeUpSessions(form, tokens_of=tokens_of)
    with seen_loss() as seen:
        train_by_reinforcement(training, sessions, lambda *_: None)
    return sessions.words_learnt(seen.learnt(), training.tokenizer)


@pytest.mark.parametrize("family", ["mistral", "qwen", "llama", "base"])
def test_the_loss_moves_what_the_therapist_said_and_nothing_else(family: str, tmp_path: Path) -> None:
    found = learnt_by(family, tmp_path)
    assert len(found) == 4
    for learnt, said in found:
        assert learnt == said


def test_a_template_that_takes_thoughts_out_of_earlier_turns_is_laid_out_as_it_was_asked(tmp_path: Path) -> None:
    thinking = (files("trl") / "chat_templates" / "qwen3.jinja").read_text()
    for learnt, said in learnt_by("qwen", tmp_path, thinking):
        assert learnt == said


def test_a_planted_fault_in_the_mask_is_seen_in_the_gradient(tmp_path: Path) -> None:
    def everything(form: SessionFormat, said: Sequence[Said]) -> Tokens:
        found = form.tokens(said)
        return replace(found, spoken=tuple(place >= found.start for place in range(len(found.ids))))

    found = learnt_by("qwen", tmp_path, tokens_of=everything)
    assert all(learnt != said and len(learnt) > len(said) for learnt, said in found)


def test_a_turn_that_was_cut_does_not_teach_to_end_there() -> None:
    tokenizer = family_tokenizer("qwen")
    form = SessionFormat(tokenizer)
    whole = form.tokens(SAID)
    cut = form.tokens([SAID[0], replace(SAID[1], ended=False)])
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    ends = [place for place, token in enumerate(whole.ids) if token == end and whole.spoken[place]]
    assert len(ends) == 2
    assert [place for place in ends if cut.spoken[place]] == ends[:1]


def test_a_turn_before_which_the_model_thought_carries_no_loss() -> None:
    form = SessionFormat(family_tokenizer("qwen"))
    thought = form.tokens([SAID[0], replace(SAID[1], thought=True)])
    assert sum(thought.spoken) < sum(form.tokens(SAID).spoken)
    assert not any(thought.spoken[-3:])


@pytest.mark.parametrize("template", [SHORTENING, SHOUTING])
def test_a_template_that_writes_earlier_turns_otherwise_is_refused(template: str) -> None:
    tokenizer = family_tokenizer("qwen")
    tokenizer.chat_template = template
    with pytest.raises(
        ModelError, match=r"in other words than it is trained on|loses a message|otherwise once more was said"
    ):
        SessionFormat(tokenizer)


def test_a_prompt_that_does_not_extend_the_one_before_is_told_with_the_place() -> None:
    form = SessionFormat(family_tokenizer("llama"))
    other = replace(SAID[0], messages=(ChatMessage("system", "Be stern."),))
    with pytest.raises(
        PrefixBroken, match=r"before the therapist's turn 1 otherwise once more was said: from token \d+ on"
    ):
        form.tokens([other, SAID[1]])


def test_dates_in_a_template_do_not_depend_on_the_day() -> None:
    tokenizer = family_tokenizer("llama")
    assert "26 Jul 2024" in template_of(tokenizer).text([{"role": "user", "content": "Hi."}])
