"""What is installed holds everything that a study needs."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from cbtrun.version import __version__
from tests.helpers.places import ROOT

DATA = {".yaml", ".json", ".jsonl", ".csv", ".j2", ".css", ".js", ".safetensors", ".jinja", ".txt"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the files that git knows (what lies about in a checkout does not count)."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_every_schema_rubric_spec_and_template(wheel: Path) -> None:
    names = {*zipfile.ZipFile(wheel).namelist()}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True, text=True).stdout.split()
    folders = {"runner": "", "plugins": "plugins/", "specs": "specs/", "rubrics": "rubrics/", "schemas": "schemas/"}
    wanted = {
        f"cbtrun/{folders[top]}{rest}"
        for top, _, rest in (name.partition("/") for name in listed)
        if top in folders and (Path(rest).suffix in DATA or rest.endswith(".py"))
    }
    assert wanted - names == set()


def test_the_installed_wheel_knows_the_shipped_studies_by_name_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    # What cbtrun depends on comes from the environment of the tests; cbtrun itself only from the wheel.
    shared = [str(path) for path in map(Path, sys.path) if path.name == "site-packages"]
    program = f"""
import sys
sys.path.extend({shared!r})
import cbtrun.cli.main
assert cbtrun.cli.main.__file__.startswith({str(site)!r}), cbtrun.cli.main.__file__
for words in (["validate", "quickstart"], ["new", "study", "mine", "--like", "transcripts"], ["validate", "mine"]):
    try:
        cbtrun.cli.main.main(words)
    except SystemExit as ended:
        assert not ended.code, words
"""
    python = tmp_path / "env/bin/python"
    (tmp_path / "empty").mkdir()
    ended = subprocess.run([python, "-c", program], cwd=tmp_path / "empty", capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("no problems found") == 2


def _as_an_index_shows_it(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
        return archive.read(name).decode()


def test_links_of_the_readme_work_on_a_package_index(wheel: Path) -> None:
    source = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Source"]
    links = re.findall(r"\]\(([^)\s]+)\)", _as_an_index_shows_it(wheel).partition("\n\n")[2])
    own = [link.removeprefix(source) for link in links if link.startswith(f"{source}/")]
    assert [link for link in links if not re.match(r"https?://|#", link)] == []
    assert len(own) > 20
    for link in own:
        _, kind, tag, path = link.split("/", 3)
        assert (kind, tag) == ("raw" if path.endswith((".png", ".svg")) else "blob", f"v{__version__}")
        assert (ROOT / path.partition("#")[0]).is_file(), link


def test_an_index_takes_the_description(wheel: Path) -> None:
    checked = [sys.executable, "-m", "twine", "check", "--strict", str(wheel)]
    said = subprocess.run(checked, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
