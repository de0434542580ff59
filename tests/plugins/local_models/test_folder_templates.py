"""Chat templates that come with a model's folder: those that never end are refused with that reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cbtrun.errors import ModelError
from cbtrun.plugins.local_models.chat_format import check_template_ends, prompt_text
from cbtrun.plugins.local_models.model_files import find_model, load_tokenizer
from tests.helpers.families import family_tokenizer
from tests.helpers.tiny_models import make_model

LOOP, END = "{% for a in range(10000) %}", "{% endfor %}"


def test_a_model_folder_whose_template_never_ends_is_refused_with_that_reason(tmp_path: Path) -> None:
    make_model(tmp_path)
    (tmp_path / "chat_template.jinja").write_text(LOOP * 3 + END * 3)
    with pytest.raises(
        ModelError, match="chat template that came with this model cannot be used: it takes too many steps"
    ):
        load_tokenizer(find_model(str(tmp_path)))


def test_a_template_that_waits_for_a_longer_dialogue_fails_there() -> None:
    tokenizer: Any = family_tokenizer("qwen")
    tokenizer.chat_template += "{% if messages|length > 5 %}" + LOOP * 3 + END * 3 + "{% endif %}"
    check_template_ends(tokenizer)
    roles = ("user", "assistant")
    chat = [{"role": roles[number % 2], "content": "So."} for number in range(7)]
    with pytest.raises(ModelError, match="cannot be used: it takes too many steps"):
        prompt_text(tokenizer, chat)
