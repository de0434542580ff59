"""The core alone rates, simulates and analyses; what needs more says which extra brings it."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun.contract.extras import lacking_packages
from cbtrun.testing.projects import StudyProject
from tests.helpers.imported_study import STUDY, TRANSCRIPTS
from tests.helpers.places import ROOT

CORE = "import tests.helpers.without_torch\nfrom cbtrun.cli.main import main\nmain()\n"
NOT_FOR_USERS = ("dev", "serving", "browser", "docs")
MODULES = {"pyyaml": "yaml", "google_genai": "google", "python_docx": "docx"}
"""Package -> the name that Python imports, where the two differ."""
BY_NAME = {"gguf", "accelerate", "safetensors", "bitsandbytes", "liger_kernel"}
"""What transformers and TRL import for us when they are told to."""
TUNED = """
cbtrun: 1
study: tuned
models: {tiny: {using: transformers, model: "cbtrun:tiny"}}
corpus: {talk: {using: hub, name: a/b, revision: "0123456789012345678901234567890123456789", columns: {transcript: id, messages: m}, speakers: {}}}
tune: {job: {using: sft, base: tiny, corpus: talk}}
"""


def without_extras(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Cbtrun in a process in which no package of an extra can be imported."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", CORE, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_core_rates_analyses_and_reports(study_project: Callable[[Mapping[str, str]], StudyProject]) -> None:
    project = study_project({"study.yaml": STUDY, "t.csv": TRANSCRIPTS})
    ended = without_extras(project.folder, "study.yaml")
    assert ended.returncode == 0, ended.stderr
    assert "ctrs.total" in project.read("runs/s/results.json")


def test_what_a_study_needs_is_told_before_any_work_with_the_command(
    study_project: Callable[[Mapping[str, str]], StudyProject],
) -> None:
    project = study_project({"study.yaml": TUNED.replace("speakers: {}", "speakers: {t: therapist, p: patient}")})
    ended = without_extras(project.folder, "study.yaml")
    assert ended.returncode == 2
    for said in (
        "corpus/talk: datasets, pyarrow are not installed here; pip install 'cbtrun[data]'",
        "are not installed here; pip install 'cbtrun[tune]'",
    ):
        assert said in ended.stderr, ended.stderr
    assert not (project.folder / "runs").exists()


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("t.parquet", "Parquet is read by pyarrow, which is not installed; pip install 'cbtrun[data]'"),
        ("t.xlsx", "Excel is read by openpyxl, which is not installed; pip install 'cbtrun[excel]'"),
        ("t.docx", "Word is read by python-docx, which is not installed; pip install 'cbtrun[word]'"),
    ],
)
def test_a_format_without_its_reader_says_what_reads_it(
    study_project: Callable[[Mapping[str, str]], StudyProject], file: str, said: str
) -> None:
    project = study_project({"study.yaml": STUDY.replace("t.csv", file), file: "PK"})
    ended = without_extras(project.folder, "validate", "study.yaml")
    assert ended.returncode == 2
    assert said in ended.stderr


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        (("json",), []),
        (("none_such",), ["none_such is not installed here; pip install 'cbtrun[data]'"]),
        (("none.such", "nor_this"), ["none.such, nor_this are not installed here; pip install 'cbtrun[data]'"]),
    ],
)
def test_missing_packages_are_named_with_the_extra(modules: tuple[str, ...], said: list[str]) -> None:
    assert lacking_packages("data", *modules) == said


BROUGHT = {
    "tokenizers": "transformers",
    "huggingface_hub": "transformers",
    "markupsafe": "jinja2",
    "pydantic_core": "pydantic",
    "yarl": "aiohttp",
}
"""Modules that come with another package, and only with it."""


def _imported() -> set[str]:
    """Packages that our source imports, by the names that Python has for them; those of the library and our own aside."""
    names = set()
    for path in (*(ROOT / "runner").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {one.name.partition(".")[0] for one in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(str(node.module).partition(".")[0])
    ours = {"cbtrun", "pytest"}  # cbtrun.testing is imported by tests alone
    return {BROUGHT.get(name, name) for name in names} - {*sys.stdlib_module_names, *ours}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    users = [
        *project["dependencies"],
        *(one for name, extra in extras.items() if name not in NOT_FOR_USERS for one in extra),
    ]
    declared = {re.split(r"[\[<>=]", one)[0].replace("-", "_") for one in users} - {"cbtrun"}
    modules = {MODULES.get(name, name) for name in declared}
    assert _imported() - modules == set()
    assert modules - _imported() - BY_NAME == set()
