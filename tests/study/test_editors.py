"""What an editor says and offers: a real yaml-language-server and Ajv in strict mode, asked about our schemas."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.helpers.places import ROOT, SPECS
from tests.helpers.yaml_server import YamlServer, node_modules, yaml_server

pytestmark = pytest.mark.slow
SCHEMAS = ROOT / "schemas"
TOP = "cbtrun: 1\nstudy: s\ntitle: t\nseed: 1\n"
STRICT = """
const Ajv = require(process.argv[1] + "/ajv/dist/2020").default;
const said = [];
const tell = message => said.push(message);
for (const file of process.argv.slice(2)) {
  const ajv = new Ajv({strict: true, allErrors: true, logger: {log: tell, warn: tell, error: tell}});
  try { ajv.compile(JSON.parse(require("fs").readFileSync(file))); } catch (error) { tell(file + ": " + error.message); }
}
console.log(said.join("\\n"));
"""


@pytest.fixture(scope="module")
def server() -> Iterator[YamlServer]:
    with yaml_server(SCHEMAS / "study.schema.json") as started:
        yield started


@pytest.mark.parametrize(
    ("marked", "offered"),
    [
        ("models:\n  a: {using: |}\n", "openai"),
        ("models:\n  a: {using: openai, m|}\n", "model"),
        ("models:\n  a:\n    using: openai\n    |\n", "base_url"),
        ("ratings:\n  a: {using: rubric, rubric: |}\n", "ctrs"),
        ("ratings:\n  a:\n    using: rubric\n    rubric: |\n", "ctrs"),
        ("personas:\n  a: {using: sampled, attributes: |}\n", "depression"),
        ("personas:\n  a: {using: files, path: |}\n", "eval-120"),
        ("corpus:\n  a: {using: written-course, course: |}\n", "depression-20"),
        ("corpus:\n  a: {using: written-course, register: |}\n", "motivational"),
        ("arms:\n  a:\n    therapist: t\n    |\n", "label"),
    ],
)
def test_names_and_options_are_completed(server: YamlServer, marked: str, offered: str) -> None:
    assert offered in server.completions(TOP + marked)


def test_a_using_that_no_plugin_has_is_underlined(server: YamlServer) -> None:
    (said,) = server.messages(f"{TOP}models:\n  a: {{using: open-ai}}\n")
    assert '"openai"' in said
    assert server.messages(f"{TOP}plugins: [./mine.py]\nmodels:\n  a: {{using: mine}}\n") == []


@pytest.mark.parametrize("spec", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_nothing_is_underlined_in_a_shipped_study(server: YamlServer, spec: object) -> None:
    text = (SPECS / str(spec)).read_text(encoding="utf-8")
    assert server.messages(text.partition("\n")[2]) == []


def test_ajv_takes_every_schema_in_strict_mode() -> None:
    command = ["node", "-e", STRICT, str(node_modules()), *map(str, sorted(SCHEMAS.glob("*.schema.json")))]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == ""
