"""Finished runs side by side: compared, and served to this machine alone."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from report_studies import made_up_study

from cbtrun.errors import StageError
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.result_tables import tidy_sessions
from cbtrun.plugins.report.run_comparison import compare_runs, comparison_text, differences
from cbtrun.plugins.report.run_server import file_of, make_server
from cbtrun.results import results_bytes
from cbtrun.run_folder import write_records


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
    assert "shared personas" in comparison_text(found)


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
    assert "arm: cbt" in text
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


def test_a_link_out_of_the_folder_is_no_file(runs: tuple[Path, Path]) -> None:
    assert (runs[0] / "figures" / "link.svg").is_symlink()
    assert file_of(runs[0], "figures/link.svg") is None


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
    (folder / "figures" / "link.svg").symlink_to(folder / "journal.sqlite")
    write_records(folder / "personas" / "eval.jsonl", patients.personas.values())
    write_records(folder / "sessions.jsonl", given.sessions)
    return folder
