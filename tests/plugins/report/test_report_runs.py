"""Finished runs side by side: compared, and served to this machine alone."""

from __future__ import annotations

import http.client
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cbtrun.errors import StageError
from cbtrun.files.run_folder import write_records
from cbtrun.plugins.report.comparison_words import comparison_text
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.page import make_plates, make_tables, render_page
from cbtrun.plugins.report.result_tables import tidy_sessions
from cbtrun.plugins.report.run_comparison import compare_runs, differences
from cbtrun.plugins.report.run_server import file_answer, file_of, make_server
from cbtrun.plugins.report.transcripts import pack_sessions
from cbtrun.results.records import results_bytes
from tests.helpers.report_studies import made_up_study


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs of one study that differ in the raters' luck, with the same personas."""
    root = tmp_path_factory.mktemp("runs")
    first = made_up_study(8, seed=1)
    second = made_up_study(8, seed=2, spec={"study": "again", "seed": 99})
    return _run_folder(first, root / "first", first), _run_folder(second, root / "second", first)


@pytest.fixture(scope="module")
def served(runs: tuple[Path, Path]) -> Iterator[http.client.HTTPConnection]:
    """A connection to a server of both runs."""
    server = make_server(runs)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    yield connection
    connection.close()
    server.shutdown()
    server.server_close()
    thread.join()


def test_differences_are_told_by_path() -> None:
    found = list(differences({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 1, "c": 3}, "e": 5}))
    assert [(one.path, one.first, one.second) for one in found] == [("a.c", 2, 3), ("d", [1], None), ("e", None, 5)]


def test_a_run_is_the_same_as_itself(runs: tuple[Path, Path]) -> None:
    found = compare_runs(runs[0], runs[0])
    assert found.same_results
    assert found.study == ()
    assert "the same, number by number" in comparison_text(found)


def test_shared_personas_are_tested_in_pairs(runs: tuple[Path, Path]) -> None:
    found = compare_runs(*runs)
    assert not found.same_results
    assert {(one.path, one.second) for one in found.study} == {("study", "again"), ("seed", 99)}
    cbt = next(one for one in found.groups if (one.grouping, one.level) == ("arm", "cbt"))
    assert 0 < cbt.n_shared <= 8
    assert cbt.test is not None
    assert cbt.interval is not None
    assert cbt.test.df == cbt.n_shared - 1
    assert " shared persona" in comparison_text(found)


def test_personas_of_one_name_but_other_content_are_not_shared(runs: tuple[Path, Path], tmp_path: Path) -> None:
    other = _run_folder(made_up_study(8, seed=3), tmp_path / "other", made_up_study(8, seed=3))
    assert {one.n_shared for one in compare_runs(runs[0], other).groups} == {0}


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"no results\.json"):
        compare_runs(tmp_path, tmp_path)


def test_index_lists_every_run_and_links_to_its_report(served: http.client.HTTPConnection) -> None:
    status, text = _get(served, "/")
    assert status == 200
    assert 'href="/1/report.html"' in text
    assert 'href="/2/report.html"' in text
    assert "not validated for CBT against clinicians" in text


def test_two_runs_are_compared_in_the_browser(served: http.client.HTTPConnection) -> None:
    status, text = _get(served, "/compare?first=1&second=2")
    assert status == 200
    assert "arm cbt" in text
    assert _get(served, "/compare?first=1&second=9")[0] == 404


def test_files_of_the_report_are_served(served: http.client.HTTPConnection) -> None:
    assert _get(served, "/1/report.html") == (200, "the report")
    assert _get(served, "/1/tables/sessions.csv")[1].startswith("session,arm")


@pytest.mark.parametrize(
    "path",
    [
        "/1/../second/report.html",
        "/1/%2e%2e/second/report.html",
        "/1/tables/../sessions.jsonl",
        "/1/tables/%2e%2e/%2e%2e/second/report.html",
        "/1//etc/passwd",
        "/1/tables//etc/passwd",
        "/1/sessions.jsonl",
        "/1/journal.sqlite",
        "/1/figures/link.svg",
        "/1/tables",
        "/1/report.html%00.svg",
        "/3/report.html",
        "/etc/passwd",
    ],
)
def test_nothing_outside_the_report_is_served(served: http.client.HTTPConnection, path: str) -> None:
    assert _get(served, path)[0] == 404


def test_a_page_of_another_host_cannot_read(served: http.client.HTTPConnection) -> None:
    assert _get(served, "/", host="evil.example:80")[0] == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(served: http.client.HTTPConnection, method: str) -> None:
    served.request(method, "/1/report.html", body=b"mine")
    answer = served.getresponse()
    answer.read()
    served.close()
    assert answer.status == 501


def test_server_listens_on_this_machine_alone(runs: tuple[Path, Path]) -> None:
    server = make_server(runs)
    assert server.server_address[0] == "127.0.0.1"
    server.server_close()


def test_a_link_out_of_the_folder_is_no_file(runs: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "link.svg").symlink_to(runs[0] / "journal.sqlite")
    assert file_of(tmp_path, "figures/link.svg") is None


def test_a_run_that_holds_a_link_is_not_served(runs: tuple[Path, Path], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(runs[0], tmp_path / "copy"))
    (copy / "figures" / "link.svg").symlink_to(copy / "journal.sqlite")
    with pytest.raises(StageError, match=r"'figures/link\.svg' is a symbolic link"):
        make_server([copy])


def headers_of(folder: Path, name: str, content: bytes) -> dict[str, str]:
    """What a file of a run is sent with."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    found = file_answer(folder, path)
    return {"type": found.content_type, "policy": found.policy, "name": found.name, "status": str(found.status.value)}


def a_page() -> bytes:
    """A report as this version writes it."""
    given = made_up_study(2, figures=())
    return render_page(given, make_plates(given), make_tables(given), pack_sessions(given), inline=True).encode()


def test_the_servers_policy_lets_our_own_script_run_in_an_origin_of_its_own(tmp_path: Path) -> None:
    policy = headers_of(tmp_path, "report.html", a_page())["policy"]
    assert "sandbox allow-scripts allow-downloads" in policy
    assert policy.count("'sha256-") == 1
    assert all(word in policy for word in ("default-src 'none'", "connect-src 'none'", "form-action 'none'"))
    assert not any(word in policy for word in ("script-src 'unsafe", "allow-same-origin", "allow-top", "allow-popups"))


@pytest.mark.parametrize(
    "more",
    [
        b'<meta http-equiv="refresh" content="0;url=//x">',
        b"<META HTTP-EQUIV=refresh>",
        b"<iframe src=//x>",
        b"<link rel=preconnect href=//x>",
    ],
)
def test_a_page_that_leaves_by_itself_runs_no_script_at_all(tmp_path: Path, more: bytes) -> None:
    (tmp_path / "report.html").write_bytes(a_page().replace(b"<main", more + b"<main", 1))
    found = file_answer(tmp_path, tmp_path / "report.html")
    assert "allow-scripts" not in found.policy
    assert "script-src" not in found.policy
    assert b"<link rel=preconnect" not in found.body


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("tables/x.html", b"<script>1</script>", "text/plain; charset=utf-8"),
        ("tables/x.csv", b"a", "text/plain; charset=utf-8"),
        ("tables/x.js", b"a", "text/plain; charset=utf-8"),
        ("figures/x.svg", b"<svg/>", "image/svg+xml"),
        ("figures/x.pdf", b"a", "application/octet-stream"),
        ("figures/x.xhtml", b"a", "application/octet-stream"),
    ],
)
def test_no_other_file_of_a_run_is_a_page_that_can_do_anything(
    tmp_path: Path, name: str, content: bytes, kind: str
) -> None:
    found = headers_of(tmp_path, name, content)
    assert (found["type"], found["name"] != "") == (kind, kind == "application/octet-stream")
    assert found["policy"].endswith("sandbox allow-downloads")


def test_scripts_beside_a_page_are_data_and_no_code(tmp_path: Path) -> None:
    assert headers_of(tmp_path, "report_transcripts/0000.js", b'cbtrunChunk(0,"aGk=")\n')["status"] == "200"
    for script in (b"alert(1)", b'cbtrunChunk(0,"")\nalert(1)', b'cbtrunChunk(0,""+x)', b'cbtrunChunk(0,"\\x41")'):
        assert headers_of(tmp_path, "report_transcripts/0000.js", script)["status"] == "404"


def test_a_name_that_no_file_can_have_is_not_there(served: http.client.HTTPConnection) -> None:
    assert _get(served, f"/1/tables/{'x' * 300}.csv")[0] == 404


def test_every_answer_says_what_it_may_do(served: http.client.HTTPConnection) -> None:
    for path in ("/", "/compare?first=1&second=2", "/1/report.html", "/1/tables/sessions.csv", "/nothing"):
        served.request("GET", path)
        answer = served.getresponse()
        answer.read()
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def _get(connection: http.client.HTTPConnection, path: str, host: str | None = None) -> tuple[int, str]:
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def _run_folder(given: ReportInput, folder: Path, patients: ReportInput) -> Path:
    """The files of a run, as far as they are read here."""
    for name in ("tables", "personas", "figures"):
        (folder / name).mkdir(parents=True)
    (folder / "results.json").write_bytes(results_bytes(given.results))
    (folder / "study.lock.yaml").write_text(yaml.safe_dump({"cbtrun": "0.1.0", "resolved": dict(given.study)}))
    (folder / "tables" / "sessions.csv").write_text(tidy_sessions(given), encoding="utf-8")
    (folder / "report.html").write_text("the report")
    (folder / "journal.sqlite").write_text("private")
    write_records(folder / "personas" / "eval.jsonl", patients.personas.values())
    write_records(folder / "sessions.jsonl", given.sessions)
    return folder
