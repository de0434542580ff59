"""A run that hands draws in by batches may die at any moment: nothing is handed in twice, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cbtrun.errors import StopRun
from cbtrun.plugins.mock_server.batches import BatchShop
from cbtrun.plugins.mock_server.in_thread import listening
from tests.helpers.batch_runs import VENDORS, Deaths, Killed, batch_states, dying, quick, run, shop_server

DRAWS = range(3)
MOMENTS = 60
"""Before and after each commit and each request of a batch's course, from its building to the replies' being kept."""


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with quick():
        yield


@pytest.mark.parametrize("vendor", ["openai", *(pytest.param(one, marks=pytest.mark.slow) for one in VENDORS[1:])])
def test_a_run_that_dies_at_any_moment_is_gone_on_with_and_pays_nothing_twice(tmp_path: Path, vendor: str) -> None:
    died, stopped = [], []
    for moment in range(MOMENTS):
        folder = tmp_path / str(moment)
        folder.mkdir()
        shop, deaths = BatchShop(looks=2), Deaths(moment)
        with listening(shop_server(shop)) as server:
            with dying(deaths), suppress(Killed):
                run(folder, vendor, server, DRAWS)
            if not deaths.dead:
                break
            died.append(deaths.steps[-1] if deaths.steps else "at the start")
            ran = run(folder, vendor, server, DRAWS)
            if any(isinstance(one, StopRun) for one in ran.errors):  # nobody can say whether it was submitted
                stopped.append(moment)
                assert (batch_states(folder)[-1], len(shop.batches)) == ("submitting", 0)
                continue
            assert len(ran.texts) == len(DRAWS), (moment, died[-1], ran.errors)
            assert run(folder, vendor, server, DRAWS).texts == ran.texts
        assert (len(shop.batches), [*shop.paid.values()], shop.twice) == (1, [1] * len(DRAWS), []), (moment, died[-1])
    assert len(died) >= 20, died
    # Between the word in the journal and the answer, and only where the vendor has none: it is the user's to say.
    assert len(stopped) == 2, [died[one] for one in stopped]
