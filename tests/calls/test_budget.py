"""A budget is never gone over, stops the run cleanly, and a higher one goes on where it stopped."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.calls.budget import Budget, BudgetLimits, budget_of
from cbtrun.errors import StopRun
from cbtrun.journal.journal import Spent
from cbtrun.plugins.mock_server.server import MockServer
from cbtrun.testing.projects import StudyProject
from tests.helpers.chat_calls import ask, request
from tests.helpers.network_studies import ALLOW, CALLS, STUDY, listening

MakeProject = Callable[[Mapping[str, str]], StudyProject]
PRICES = {"input": 10.0, "output": 10.0}
TEN_TOKENS = {"usage": {"prompt_tokens": 6, "completion_tokens": 4}}


def asked(folder: Path, budget: Budget, count: int = 50) -> int:
    """How many of `count` calls were answered before the budget stopped them; checks that it did."""
    requests = [request(f"p{n}", max_tokens=4) for n in range(count)]
    heard = ask(folder, requests=requests, server=TEN_TOKENS, budget=budget, prices=PRICES)
    assert any(isinstance(one, StopRun) for one in heard.replies)
    assert heard.kept == len(heard.texts) == heard.server.calls
    return heard.kept


def test_tokens_stay_within_the_limit_and_come_close_to_it(tmp_path: Path) -> None:
    budget = Budget(BudgetLimits(tokens=203))
    assert asked(tmp_path, budget) in (19, 20)
    assert 180 <= budget.spent_tokens <= 203


def test_dollars_stay_within_the_limit(tmp_path: Path) -> None:
    budget = Budget(BudgetLimits(usd=0.00205))
    assert asked(tmp_path, budget) in (19, 20)
    assert budget.spent_usd <= 0.00205


def test_hours_that_are_over_stop_the_next_call(tmp_path: Path) -> None:
    budget = Budget(BudgetLimits(hours=1), until=time.monotonic() - 1)
    assert asked(tmp_path, budget) == 0


def test_what_earlier_runs_spent_counts() -> None:
    budget = budget_of({"tokens": 100, "hours": 1.0}, Spent(usd=2.0, tokens=90, seconds=3600.0))
    assert budget is not None
    assert budget.spent_tokens == 90
    assert budget.until <= time.monotonic()


def test_a_study_without_limits_has_no_budget() -> None:
    assert budget_of({}, Spent()) is None


def test_a_cost_that_the_provider_reports_wins_over_the_studys_prices(tmp_path: Path) -> None:
    usage = {"usage": {"prompt_tokens": 6, "completion_tokens": 4, "cost": 0.5}}
    (reply,) = ask(tmp_path, server=usage, prices=PRICES).replies
    assert getattr(reply, "usd", None) == 0.5
    (tmp_path / "other").mkdir()
    (reply,) = ask(tmp_path / "other", server=TEN_TOKENS, prices=PRICES).replies
    assert getattr(reply, "usd", None) == pytest.approx(0.0001)


def test_dollars_that_nobody_can_count_are_not_taken_for_none(tmp_path: Path) -> None:
    budget = Budget(BudgetLimits(usd=1.0))
    heard = ask(
        tmp_path, requests=[request("a"), request("b")], server=TEN_TOKENS, budget=budget, limits={"concurrency": 1}
    )
    assert heard.kept >= 1
    with pytest.raises(StopRun, match="reports no cost and its model has no `prices`"):
        asyncio.run(budget.reserve(request("c"), None))


def test_at_a_limit_the_run_stops_with_exit_4_and_a_higher_limit_goes_on(
    study_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(MockServer()) as server:
        monkeypatch.setenv("MOCK_URL", server.url)
        monkeypatch.setenv("MOCK_KEY", "k")
        project = study_project({"study.yaml": STUDY})
        stopped = project.run("study.yaml", *ALLOW, "--set", "limits.tokens=4000")
        assert stopped.code == 4
        assert "limits/tokens: " in stopped.err
        assert "raise it and run the same command again" in stopped.err
        done = server.calls
        assert 0 < done < CALLS
        assert project.run("study.yaml", *ALLOW, "--set", "limits.tokens=1000000").code == 0
        assert server.calls == CALLS
    journal = sqlite3.connect(project.folder / "runs/calls/journal.sqlite")
    assert journal.execute("SELECT count(*) FROM calls").fetchone()[0] == CALLS
    journal.close()
