"""The container file: what it copies is there, what it runs exists, and nothing that is anybody's goes into it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.helpers.places import ROOT

TEXT = (ROOT / "Containerfile").read_text(encoding="utf-8")
STEPS = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE)).splitlines()
COPIED = [word for step in STEPS if step.startswith("COPY ") and "--from" not in step for word in step.split()[1:-1]]
LET_THROUGH = [
    line[1:] for line in (ROOT / ".containerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"
]


def test_what_the_container_copies_is_there_and_is_let_through() -> None:
    assert sorted(COPIED) == sorted(LET_THROUGH)
    assert [name for name in COPIED if not (ROOT / name).exists()] == []


def test_all_that_the_package_is_built_from_is_copied(tmp_path: Path) -> None:
    for name in COPIED:
        target = tmp_path / name
        if (ROOT / name).is_dir():
            target.mkdir()
            for file in (ROOT / name).glob("__init__.py"):
                (target / file.name).write_bytes(file.read_bytes())
        else:
            target.write_bytes((ROOT / name).read_bytes())
    (tmp_path / "runner/version.py").write_bytes((ROOT / "runner/version.py").read_bytes())
    asked = "import setuptools.build_meta as b; print(b.prepare_metadata_for_build_wheel('.'))"
    made = subprocess.run([sys.executable, "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "dist-info" in made.stdout, made.stderr


def test_the_container_runs_cbtrun_as_nobody_in_particular_on_a_named_base_with_the_tested_versions() -> None:
    assert 'ENTRYPOINT ["cbtrun"]' in STEPS
    users = [step.split()[1] for step in STEPS if step.startswith("USER ")]
    assert users
    assert users[-1].split(":")[0] not in ("0", "root")
    (base,) = (step.split("=", 1)[1] for step in STEPS if step.startswith("ARG BASE="))
    assert re.search(r":\d+\.\d+[\w.-]*$", base), f"{base} has no tag that says a version"
    assert {step.split()[1] for step in STEPS if step.startswith("FROM ")} == {"${BASE}"}
    assert any("--constraint constraints.txt" in step for step in STEPS)
    assert not re.search(r"(?i)(key|token|secret|password)\s*=", TEXT)


def test_nothing_that_lies_about_goes_into_the_image() -> None:
    ignored = (ROOT / ".containerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[1] == "*", "everything is left out, and then what the package is made of is let through"
    assert {"**/.env", "**/runs"} <= {*ignored}
