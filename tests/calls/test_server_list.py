"""One model behind several servers: sessions stay where they began, a dead server is left out and taken back."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cbtrun.calls.server_gate import Clock, ServerGate, ServerGates
from cbtrun.calls.server_list import ServerList
from cbtrun.calls.server_terms import ServerLimits, ServerTerms
from cbtrun.contract.models import ChatMessage, Draw, Reply, Request
from cbtrun.errors import NotSent, ServerFault, StopRun
from cbtrun.plugins.mock_server.answers import default_answer
from cbtrun.plugins.mock_server.protocols import Body
from cbtrun.plugins.mock_server.server import MockServer
from cbtrun.testing.projects import StudyProject
from tests.helpers.chat_calls import KEY
from tests.helpers.network_studies import ALLOW, STUDY, listening

TALKS = STUDY.partition("ratings:")[0]
LISTED = TALKS.replace("base_url: ${MOCK_URL}", "base_url: ['${A_URL}', '${B_URL}', '${C_URL}']")
CALLS = 2 * 3 * 4
NAMES = ("A_URL", "B_URL", "C_URL")


class Watch:
    """A clock that goes on only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 0.0

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        await asyncio.sleep(0)


@dataclass
class Desk:
    """A server that may be down, or answer nothing but faults."""

    name: str
    limits: ServerLimits = field(default_factory=ServerLimits)
    down: bool = False
    broken: bool = False
    asked: list[str] = field(default_factory=list)
    most: int = 0
    _now: int = 0

    @property
    def terms(self) -> ServerTerms:
        return ServerTerms(self.name, self.limits)

    async def reply(self, request: Request) -> Reply:
        if self.down:
            raise NotSent("connection refused")
        if self.broken:
            raise ServerFault("500")
        self.asked.append(request.draw.subject)
        self._now += 1
        self.most = max(self.most, self._now)
        await asyncio.sleep(0)
        self._now -= 1
        return Reply(self.name)

    async def answers(self) -> bool:
        return not self.down

    async def close(self) -> None: ...


def a_request(subject: str, turn: int = 0, role: str = "therapist", repeat: int = 1) -> Request:
    return Request((ChatMessage("user", "Hello"),), Draw(role, subject, repeat, turn))


class Listed:
    """A list of servers with a clock of its own, and what was said and tried again."""

    def __init__(self, *desks: Desk) -> None:
        self.desks, self.said, self.retries, watch = desks, [], [], Watch()
        self.watch, gates = watch, ServerGates()
        for desk in desks:
            gates._gates[desk.name] = ServerGate(desk.name, desk.limits, Clock(lambda: watch.time, watch.sleep))
        self.list = ServerList("tiny", gates, self.said.append)

    async def ask(self, request: Request) -> str:
        reply, _ = await self.list.call(
            self.desks, request.draw, lambda server: server.reply(request), self.retries.append
        )
        return reply.text


def test_a_session_stays_with_its_server_and_new_ones_go_where_there_is_most_room() -> None:
    listed = Listed(Desk("a"), Desk("b"), Desk("c"))

    async def talk(subject: str) -> set[str]:
        return {await listed.ask(a_request(subject, turn)) for turn in range(5)}

    async def talks() -> list[set[str]]:
        return await asyncio.gather(*(talk(f"s{at}") for at in range(12)))

    where = asyncio.run(talks())
    assert [len(one) for one in where] == [1] * 12
    assert Counter(name for one in where for name in one) == {"a": 4, "b": 4, "c": 4}
    assert listed.list.words(listed.desks) == "tiny: 3 of 3 servers, 0 calls moved"
    assert listed.list.counted(listed.desks) == "calls of tiny: a 20, b 20, c 20; 0 moved"


def test_all_ratings_of_a_session_go_to_one_server() -> None:
    listed = Listed(Desk("a"), Desk("b"))

    async def rated() -> set[str]:
        return {await listed.ask(a_request("s", role="rater", repeat=repeat)) for repeat in range(1, 6)}

    assert len(asyncio.run(rated())) == 1


def test_limits_hold_for_each_server() -> None:
    listed = Listed(Desk("a", ServerLimits(concurrency=2)), Desk("b", ServerLimits(concurrency=3)))

    async def talks() -> None:
        await asyncio.gather(*(listed.ask(a_request(f"s{at}")) for at in range(40)))

    asyncio.run(talks())
    assert [desk.most for desk in listed.desks] == [2, 3]


def test_a_dead_server_is_left_out_told_and_taken_back() -> None:
    listed = Listed(Desk("a"), Desk("b"))

    async def story() -> None:
        where = {subject: await listed.ask(a_request(subject)) for subject in ("s1", "s2")}
        assert sorted(where.values()) == ["a", "b"]
        listed.desks[0].down = True
        for subject in where:
            assert await listed.ask(a_request(subject, 1)) == "b"
        assert listed.said == [
            "server a is left out, its sessions go on elsewhere (connection refused)",
        ]
        assert "1 of 2 servers (a left out), 1 calls moved" in listed.list.words(listed.desks)
        listed.desks[0].down = False
        listed.watch.time += 100
        for turn in (2, 3):
            assert {await listed.ask(a_request(subject, turn)) for subject in where} == {"b"}
            await asyncio.sleep(0.001)
        assert listed.said[1:] == ["server a answers again and gets new sessions"]
        assert await listed.ask(a_request("s3")) == "a"

    asyncio.run(story())
    assert [str(one) for one in listed.retries] == ["a: connection refused"]


def test_a_server_that_answers_with_faults_alone_is_left_out_after_as_many_tries_as_a_call_has() -> None:
    listed = Listed(Desk("a", ServerLimits(tries=3), broken=True), Desk("b", ServerLimits(tries=3)))
    assert asyncio.run(listed.ask(a_request("s1"))) == "b"
    assert [str(one) for one in listed.retries] == ["500", "500", "a: 500"]


def test_where_no_server_answers_the_run_stops_with_all_their_reasons() -> None:
    listed = Listed(Desk("a", down=True), Desk("b", down=True))

    async def talks() -> list[object]:
        asked = (listed.ask(a_request(f"s{at}")) for at in range(3))
        return await asyncio.gather(*asked, return_exceptions=True)

    for stopped in asyncio.run(talks()):
        assert isinstance(stopped, StopRun)
        assert "none of its 2 servers answers (a: connection refused; b: connection refused)" in str(stopped)
    assert 10 < listed.watch.time < 120


def test_a_run_waits_for_a_server_that_comes_back() -> None:
    listed = Listed(Desk("a", down=True), Desk("b", down=True))

    async def comes_back(seconds: float) -> None:
        listed.watch.time += seconds
        listed.desks[1].down = listed.watch.time < 5

    for gate in listed.list.gates._gates.values():
        gate.clock = Clock(lambda: listed.watch.time, comes_back)
    assert asyncio.run(listed.ask(a_request("s"))) == "b"


@contextmanager
def three(*servers: MockServer) -> Iterator[None]:
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patched:
        patched.setenv("MOCK_KEY", KEY)
        for name, server in zip(NAMES, servers, strict=True):
            patched.setenv(name, stack.enter_context(listening(server)).url)
        yield


def dies_at(call: int) -> MockServer:
    """A server that is gone, with all it was working at, when it is asked for the so-many-th time."""
    server = MockServer()

    async def answer(body: Body) -> str:
        if server.calls >= call:
            server.stopping = asyncio.ensure_future(server.stop())  # type: ignore[attr-defined]
            await asyncio.sleep(60)
        return default_answer(body)

    server.answer = answer
    return server


def a_project(folder: Path, text: str) -> StudyProject:
    folder.mkdir(exist_ok=True)
    project = StudyProject(folder)
    project.write("study.yaml", text)
    return project


def test_a_study_on_three_servers_of_which_one_dies_has_the_same_results_and_pays_no_committed_call_twice(
    tmp_path: Path,
) -> None:
    whole, dying = (MockServer(), MockServer(), MockServer()), (MockServer(), dies_at(3), MockServer())
    with three(*whole):
        undisturbed = a_project(tmp_path / "whole", LISTED)
        assert undisturbed.run("study.yaml", *ALLOW).code == 0
    assert [server.calls for server in whole] == [8, 8, 8]
    with three(*dying):
        project = a_project(tmp_path / "dying", LISTED)
        done = project.run("study.yaml", *ALLOW)
    assert done.code == 0, done
    assert re.search(r"server http://127.0.0.1:\d+ is left out, its sessions go on elsewhere", done.err)
    for name in ("results.json", "sessions.jsonl"):
        assert (project.folder / "runs/calls" / name).read_bytes() == (
            undisturbed.folder / "runs/calls" / name
        ).read_bytes()
    lost = dying[1].calls - 2
    assert sum(server.calls for server in dying) == CALLS + lost
    log = (project.folder / "runs/calls/run.log").read_text()
    assert re.search(r"therapist: 2 of 3 servers \(http://\S+ left out\), \d+ calls moved", log)
    assert re.search(r"sessions: calls of therapist: (http://\S+ \d+, ){2}http://\S+ \d+; \d+ moved", log)
    assert "calls moved to another engine or server: " in project.run("status", "runs/calls").out


def test_another_list_pays_for_nothing_again_and_changes_no_result(tmp_path: Path) -> None:
    servers = (MockServer(), MockServer(), MockServer())
    project = a_project(tmp_path, LISTED)
    results = tmp_path / "runs/calls/results.json"
    with three(*servers):
        assert project.run("study.yaml", *ALLOW).code == 0
        before = results.read_bytes()
        project.write("study.yaml", LISTED.replace("['${A_URL}', '${B_URL}', '${C_URL}']", "['${C_URL}', '${A_URL}']"))
        assert "Nothing to do" in project.run("study.yaml", *ALLOW).out
        project.write("study.yaml", TALKS.replace("${MOCK_URL}", "${B_URL}"))
        assert project.run("study.yaml", *ALLOW).code == 0  # sessions by one server: read anew from kept replies
    assert sum(server.calls for server in servers) == CALLS
    project.write("study.yaml", LISTED)
    assert results.read_bytes() != before  # its digest is of another study: one address is said by the study


def test_a_study_that_named_one_server_goes_on_with_several(tmp_path: Path) -> None:
    servers = (MockServer(), MockServer(), MockServer())
    project = a_project(tmp_path, TALKS.replace("${MOCK_URL}", "${B_URL}"))
    with three(*servers):
        assert project.run("study.yaml", *ALLOW).code == 0
        project.write("study.yaml", LISTED)
        assert project.run("study.yaml", *ALLOW).code == 0
    assert [server.calls for server in servers] == [0, CALLS, 0]


def test_what_a_list_may_hold_is_checked_with_its_line(tmp_path: Path) -> None:
    project = a_project(tmp_path, TALKS.replace("${MOCK_URL}", "['http://a:1/v1', 'b:2/v1', '${SECRET_KEY}']"))
    found = project.run("validate", "study.yaml").err
    assert "must begin with https:// (or http://) and a host" in found
    twice = a_project(tmp_path, TALKS.replace("${MOCK_URL}", "['http://a:1/v1', 'http://a:1/v1']"))
    assert twice.run("validate", "study.yaml").code == 2
    batched = TALKS.replace("${MOCK_URL}", "['http://a:1/v1', 'http://b:1/v1']").replace(
        "limits: {", "limits: {batch: true, "
    )
    assert (
        "batches are collected where they were handed in"
        in a_project(tmp_path, batched).run("validate", "study.yaml").err
    )
