"""Words are found in a text as a pattern would find them."""

from __future__ import annotations

import re
from random import Random

from cbtrun.plugins.personas.material import occurs


def test_words_occur_as_a_pattern_finds_them() -> None:
    draw = Random(5)
    for _ in range(4000):
        words = "".join(draw.choices("aB_ é1'.", k=draw.randint(0, 4)))
        text = "".join(draw.choices("ab_ é1'.", k=draw.randint(0, 9)))
        wanted = re.search(rf"(?<!\w){re.escape(words.lower())}(?!\w)", text) is not None
        assert occurs(words, text) is wanted, (words, text)
