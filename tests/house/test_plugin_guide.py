"""The guide for plugin authors says what the hooks are, and a package by somebody else works as it says."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cbtrun import hookspecs
from cbtrun.testing.projects import StudyProject
from tests.helpers.places import ROOT

GUIDE = (ROOT / "plugins/README.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "tests/example_plugin"
HOOKS = [hook for hook in vars(hookspecs).values() if hasattr(hook, "cbtrun_spec")]
Make = Callable[[Mapping[str, str]], StudyProject]

STUDY = """\
cbtrun: 1
study: echoes
title: Does an echo score below a careful therapist?
seed: 1
models:
  echo: {using: echo, ask: "And then?"}
  careful: {using: careful-control}
  patient: {using: scripted-patient}
  rater: {using: lexical-rater}
personas: {eval: {using: sampled, attributes: depression, count: 3}}
arms:
  echo: {therapist: echo, factors: {who: echo}}
  careful: {therapist: careful, factors: {who: careful}}
sessions: {using: dialogue, patient: patient, personas: eval, max_turns: 8}
ratings: {ctrs: {using: rubric, rubric: ctrs, raters: [rater]}}
"""


def test_every_hook_has_a_heading_with_its_exact_signature() -> None:
    headings = re.findall(r"^### `(.*)`$", GUIDE, re.MULTILINE)
    assert headings == [f"{hook.__name__}{_signature(hook)}" for hook in HOOKS]


def test_every_hook_says_when_it_is_called() -> None:
    sections = re.split(r"^#{2,3} ", GUIDE, flags=re.MULTILINE)
    silent = [one.splitlines()[0] for one in sections if one.startswith("`") and "\nWhen: " not in one]
    assert silent == []


@pytest.mark.parametrize("example", re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL))
def test_the_examples_are_python_and_their_hooks_fit(example: str) -> None:
    import ast

    tree = ast.parse(example)
    known = {hook.__name__: inspect.signature(hook) for hook in HOOKS}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in known:
            assert {argument.arg for argument in node.args.args} <= set(known[node.name].parameters)


def _signature(hook: Callable[..., object]) -> str:
    """As in the source, without the quotes that a future import leaves out anyway."""
    return str(inspect.signature(hook)).replace("'", "")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example package, installed by pip into a folder of its own."""
    folder = tmp_path_factory.mktemp("site")
    _pip_install(EXAMPLE, folder, tmp_path_factory.mktemp("source"))
    return folder


def _pip_install(package: Path, folder: Path, copy: Path) -> None:
    """Without its dependencies, which are here, and without the network. From a copy: a build leaves files beside its source."""
    import shutil

    source = shutil.copytree(package, copy / "package")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", str(folder), str(source)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def _python(folder: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=cwd, env=environment)


def test_a_package_by_somebody_else_is_listed_and_runs_in_a_study(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    listed = _python(installed, "-m", "cbtrun.cli.main", "plugins", cwd=tmp_path)
    assert re.search(r"^echo +models$", listed.stdout, re.MULTILINE), listed.stderr
    ran = _python(installed, "-m", "cbtrun.cli.main", "study.yaml", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "echo saw sessions: done" in ran.stderr
    sessions = (tmp_path / "runs/echoes/sessions.jsonl").read_text()
    assert sessions.count("And then?") >= 3


def test_its_options_and_its_own_checks_are_the_studys(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY.replace('ask: "And then?"', "ask: Go on, aks: x"))
    checked = _python(installed, "-m", "cbtrun.cli.main", "validate", "study.yaml", cwd=tmp_path)
    assert checked.returncode == 2
    assert "models/echo: unknown key 'aks' (did you mean 'ask'?)" in checked.stderr
    (tmp_path / "study.yaml").write_text(STUDY.replace('ask: "And then?"', "ask: Go on"))
    checked = _python(installed, "-m", "cbtrun.cli.main", "validate", "study.yaml", cwd=tmp_path)
    assert "study.yaml:6:28: models/echo/ask: a question ends in '?'" in checked.stderr


def test_a_new_plugin_installs_and_passes_its_own_test(study_project: Make, tmp_path: Path) -> None:
    project = study_project({})
    assert project.run("new", "plugin", "greeter").code == 0
    site = tmp_path / "site"
    _pip_install(project.folder / "greeter", site, tmp_path / "source")
    tested = _python(site, "-m", "pytest", "-q", "-p", "no:cacheprovider", "greeter", cwd=project.folder)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert re.search(r"\b4 passed\b", tested.stdout), tested.stdout
