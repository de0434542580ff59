"""What the driver makes of its machines: which differ, who may hear real people's words, what goes into their environment."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from cbtrun.before.consent import consent_problems
from cbtrun.cluster import connection
from cbtrun.cluster.cluster import Cluster, Machine
from cbtrun.cluster.machine_facts import facts_of_this_machine
from cbtrun.cluster.where import Where
from cbtrun.contract.workplace import Machines, machines_elsewhere, use_machines
from cbtrun.plugins.local_models.gpus import gpu_memory, visible_gpus
from cbtrun.registry import load_registry
from cbtrun.study.load import load_study
from cbtrun.testing.projects import StudyProject
from tests.helpers.two_controls import two_controls


def unchanged(_: dict[str, Any]) -> None:
    """A machine like this one."""


def cluster(change: Callable[[dict[str, Any]], None] = unchanged, where: Where | None = None) -> Cluster:
    facts = copy.deepcopy(facts_of_this_machine())
    other = copy.deepcopy(facts) | {"host": "other"}
    change(other)
    machines = Machine("1", "10.0.0.1", facts, 0, 2.0), Machine("2", "10.0.0.2", other, 0, 2.0)
    return Cluster(where or Where(on="ray"), None, machines)


def test_machines_like_this_one_are_taken() -> None:
    assert connection.version_problems(cluster()) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda facts: facts.update(cbtrun="0.0.1"), "machine other has cbtrun 0.0.1, this one"),
        (lambda facts: facts.update(code="changed"), "other code than this one"),
        (lambda facts: facts["versions"].update(numpy="1.0"), "machine other has numpy 1.0, this one"),
    ],
)
def test_a_machine_that_differs_is_refused_by_name(change: Callable[[dict[str, Any]], None], told: str) -> None:
    (problem,) = connection.version_problems(cluster(change))
    assert told in problem


def test_no_key_is_in_the_environment_that_ray_is_started_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdef")
    monkeypatch.setenv("PLAIN", "stays")
    with connection._bare_environment():
        assert "OPENAI_API_KEY" not in os.environ
        assert os.environ["PLAIN"] == "stays"
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert os.environ["OPENAI_API_KEY"] == "sk-0123456789abcdef"


def test_what_is_said_of_gpus_is_said_of_the_machines_of_the_run() -> None:
    assert machines_elsewhere() is None
    use_machines(Machines(gpus=((80.0,), (80.0, 80.0)), cpus=(8.0, 16.0)))
    try:
        assert gpu_memory() == [80.0, 80.0]
        assert visible_gpus({"device": "auto"}) == ("0", "1")
        assert visible_gpus({"device": "cpu"}) == ()
    finally:
        use_machines(None)


def test_machines_have_room_for_engines_of_whole_machines_alone() -> None:
    machines = Machines(gpus=((80.0,) * 8, (80.0,) * 3), cpus=(4.0, 1.0))
    assert machines.seats(2) == 5
    assert machines.seats(0, 2.0) == 3


def test_real_peoples_words_go_to_no_machine_that_nobody_called_trusted(
    study_project: Callable[[dict[str, str]], StudyProject],
) -> None:
    project = study_project({"study.yaml": f"{two_controls('s')}contains: real-people\n"})
    registry = load_registry()
    study = load_study(project.folder / "study.yaml", registry=registry)
    assert not list(consent_problems(study, registry))
    asked = [str(one) for one in consent_problems(study, registry, cluster())]
    assert any("the model 'careful'" in one and "until a file of yours says `trusted: yes`" in one for one in asked)
    assert not list(consent_problems(study, registry, cluster(where=Where(on="ray", trusted=True))))


def test_an_engine_for_a_gpu_takes_whole_gpus_and_ray_repeats_nothing() -> None:
    options: dict[str, Any] = {}

    class Remote:
        def options(self, **given: Any) -> Remote:
            options.update(given)
            return self

        def remote(self) -> object:
            return object()

    from cbtrun.contract.workplace import OpenedBy

    there = cluster()
    there.ray = SimpleNamespace(remote=lambda _: Remote())
    there.start(OpenedBy("a:b", {}, "k", "l", gpus=2))
    assert (options["num_gpus"], options["max_restarts"], options["max_task_retries"]) == (2, 0, 0)
    there.start(OpenedBy("a:b", {}, "k", "l", cpus=8.0, waits_for_cpus=True))
    assert options["num_cpus"] == 2.0  # no more than a machine has: it would wait for ever
