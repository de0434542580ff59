"""What the server of rating pages takes from a browser, what it refuses, and what is on the disk."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from cbtrun.errors import StageError
from cbtrun.humans.entries import ChangeError, append_lines, checked_change, read_entries
from cbtrun.humans.rate_server import RateServer, is_own_request, open_desks
from cbtrun.humans.rated_run import RatedRun
from cbtrun.testing.projects import StudyProject
from tests.helpers.rated_study import HOSTILE, drawn, task


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("score/S01/agenda", "7", "off the scale"),
        ("score/S01/agenda", 4, "a text"),
        ("score/S99/agenda", "4", "no such session"),
        ("score/S01/mood", "4", "no such session or item"),
        ("comment/S01/agenda", "x" * 4001, "4000 characters"),
        ("comment/S01/agenda", "\ud800", "half a character"),
        ("quotes/S01/agenda", [{"turn": 1, "text": "never said"}], "does not say so"),
        ("quotes/S01/agenda", [{"turn": 0, "text": "We"}], "does not say so"),
        ("quotes/S01/agenda", [{"turn": True, "text": "We"}], "a turn and a text"),
        ("quotes/S01/agenda", [{"turn": 1, "text": "e"}] * 21, "20 at most"),
        ("seconds/S01", float("inf"), "a number"),
        ("seconds/../x", 1, "no such screen"),
        ("choice/P01", "cbt", "no such pair"),
        ("breaks", [["now", -1]], "a number"),
        ("screen", "S99", "no such screen"),
        ("__proto__", {}, "no such place"),
    ],
)
def test_what_a_page_cannot_have_sent_is_refused(ran: StudyProject, place: str, value: Any, told: str) -> None:
    with pytest.raises(ChangeError, match=re.escape(told)):
        checked_change(task(ran), {"place": place, "value": value})


def test_what_a_kill_cut_off_is_no_entry_and_the_next_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "rated" / "ada.jsonl"
    one, two = ({"at": "t", "place": "score/S01/agenda", "value": value} for value in ("3", "4"))
    append_lines(path, [one])
    with path.open("ab") as file:
        file.write(b'{"at": "t", "place": "score/S01/age')
    assert read_entries(path).values == {"score/S01/agenda": "3"}
    append_lines(path, [two])
    assert read_entries(path).values == {"score/S01/agenda": "4"}
    assert len(path.read_bytes().splitlines()) == 2


def test_a_link_in_the_place_of_a_raters_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / "ada.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StageError, match="symbolic link"):
        append_lines(tmp_path / "ada.jsonl", [{"place": "x"}])
    assert (tmp_path / "elsewhere").read_text() == "mine"


@pytest.fixture
def server(ran: StudyProject) -> Iterator[RateServer]:
    """A serving server of three raters."""
    run, sheet, settings = drawn(ran)
    with chdir(ran.folder):
        run = RatedRun(ran.folder / "runs/mine", run.study, run.name, run.rubric, run.sessions, run.scores, run.labels)
        serving = RateServer(open_desks(run, sheet, settings, ["ada", "ben", "cho"]))
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield serving
    serving.shutdown()
    serving.server_close()


def ask(server: RateServer, path: str, changes: object = None, **headers: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and text of a GET, or of a POST of changes."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    told = {
        "Host": f"127.0.0.1:{server.server_port}",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    if changes is None:
        connection.request("GET", path, headers=told)
    else:
        body = changes if isinstance(changes, str) else json.dumps({"changes": changes})
        connection.request("POST", path, body, {"Content-Type": "application/json", **told})
    answer = connection.getresponse()
    found = answer.status, dict(answer.headers), answer.read().decode()
    connection.close()
    return found


SCORE = [{"place": "score/S01/agenda", "value": "4"}]


def test_a_change_is_in_the_raters_file_when_it_is_called_saved(server: RateServer) -> None:
    desk = server.desks["ada"]
    assert ask(server, f"{desk.path}changes", SCORE)[0] == 200
    assert read_entries(desk.file).values == {"score/S01/agenda": "4"}
    assert not read_entries(server.desks["ben"].file).values
    assert '"score/S01/agenda": "4"' in ask(server, desk.path)[2]
    assert '"score/S01/agenda"' not in ask(server, server.desks["ben"].path)[2]


def test_nobody_gets_in_without_the_raters_own_word_and_from_another_page(server: RateServer) -> None:
    ada, ben = server.desks["ada"], server.desks["ben"]
    changes = f"{ada.path}changes"
    for path in (
        "/",
        "/ada/",
        f"/ada/{ben.token}/",
        f"/ada/{'0' * 32}/",
        f"{ada.path}../",
        f"{ada.path}x",
        "/etc/passwd",
    ):
        assert ask(server, path)[0] == 404, path
    assert ask(server, f"/ada/{ben.token}/changes", SCORE)[0] == 404
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
        assert ask(server, changes, SCORE, **headers)[0] == 403, headers
    assert ask(server, changes, SCORE, Content_Type="text/plain")[0] == 400  # what a form of another page could send
    assert ask(server, changes, "{")[0] == 400
    assert ask(server, changes, "[" * 5000)[0] == 400
    assert ask(server, changes, [*SCORE, {"place": "score/S01/agenda", "value": "9"}])[0] == 400
    assert ask(server, changes, "x" * 300_000)[0] == 413
    assert not read_entries(ada.file).values


def test_a_page_may_run_our_script_alone_and_speak_to_its_own_server_alone(server: RateServer) -> None:
    _, headers, page = ask(server, server.desks["ada"].path)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert HOSTILE not in page
    assert page.count("<script") == 2
    assert not is_own_request({"Host": "127.0.0.1:81"}, 80)


def test_three_raters_at_once_lose_nothing(server: RateServer) -> None:
    def rate(code: str, shift: int) -> None:
        for at in range(8):
            for _ in range(3):
                value = str((at + shift) % 7)
                assert (
                    ask(
                        server,
                        f"{server.desks[code].path}changes",
                        [{"place": f"score/S0{at + 1}/agenda", "value": value}],
                    )[0]
                    == 200
                )

    threads = [threading.Thread(target=rate, args=(code, shift)) for shift, code in enumerate(server.desks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for shift, desk in enumerate(server.desks.values()):
        kept = read_entries(desk.file)
        assert kept.values == {f"score/S0{at + 1}/agenda": str((at + shift) % 7) for at in range(8)}
