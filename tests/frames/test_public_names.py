"""What a script may rest on: public names, their arguments, and the columns of the frames. A change here is told in CHANGELOG.md."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import pytest

import cbtrun
from cbtrun.frames.frame_columns import frame_columns
from tests.helpers.places import DOCS

NAMES = """CbtrunError CheckedStudy IncompleteRun ModelError Place PluginError Problem Run SpecError StageError StatisticsError StopRun
__version__ load_run load_study run"""
ARGUMENTS = {
    "load_run": "path runs frames",
    "load_study": "path overrides allow_local_plugins",
    "run": """study runs overrides frames quiet offline rehearse consent_remote take_over redo concurrency allow_hosts
    allow_local_plugins""",
}
OF_A_RUN = """calls comparisons ended failures groups name path ratings report results scores sessions state study to_do
training_steps turns"""
OF_A_STUDY = "data digest name overrides path seed stages title"
COLUMNS = {
    "sessions": """session:text state:category reason:text arm:category arm_label:category persona:text repeat:int number:int
    turns:int ended:category flags:texts draw:text factor.NAME:category measure.NAME:float label.NAME:category""",
    "turns": "session:text turn:int speaker:category text:text",
    "ratings": """session:text set:category rater:category repeat:int item:category outcome:category state:category reason:text
    score:float answer:text absent:bool rationale:text evidence:texts evidence_turns:ints notes:texts flags:texts rubric:category
    rubric_version:category""",
    "scores": """session:text outcome:category set:category item:category kind:category label:category state:category reason:text
    value:float ratings:int prorated:float lowest:float highest:float scale_low:float scale_high:float weight:float""",
    "groups": """outcome:category kind:category label:category grouping:category level:category level_label:category n:int
    missing:int reasons:texts mean:float interval_low:float interval_high:float interval_level:float interval_method:category
    sd:float median:float lowest:float highest:float personas:int""",
    "comparisons": """analysis:category design:category outcome:category label:category factor:category levels:texts
    level_labels:texts where:texts state:category reason:text n:int unit:category personas:int estimate:float interval_low:float
    interval_high:float interval_level:float interval_method:category adjusted_low:float adjusted_high:float worst_low:float
    worst_high:float effect:category effect_value:float effect_low:float effect_high:float test:category statistic:float df:float
    p:float p_adjusted:float correction:category family:int margin:float subgroup:bool sentence:text notes:texts checks:texts""",
    "calls": """key:text stage:category model:category role:category attempt:int state:category reason:text tries:int arm:category
    session:text persona:text about:texts finish:category tokens_in:int tokens_out:int tokens_cached:int tokens_written:int
    tokens_thought:int usd:float seconds:float at:time served:category fingerprint:category batched:bool text:text thinking:text""",
    "failures": "stage:category unit:text reason:text",
    "training_steps": """job:category seed:int step:int policy:text sessions:int personas:int reward:float rewarded:float unscored:int
    witness.NAME:float vetoed:float kl:float tokens:float entropy:float repetition:float loss:float grad_norm:float
    learning_rate:float stopped:text""",
}


def test_the_public_names_are_these_and_each_is_there() -> None:
    assert sorted(cbtrun.__all__) == NAMES.split()
    assert dir(cbtrun) == NAMES.split()
    for name in cbtrun.__all__:
        assert getattr(cbtrun, name) is not None


def test_their_arguments_are_these() -> None:
    for name, arguments in ARGUMENTS.items():
        assert list(inspect.signature(getattr(cbtrun, name)).parameters) == arguments.split()


def test_a_run_and_a_study_have_these_attributes() -> None:
    run = {name for name in dir(cbtrun.Run) if not name.startswith("_")}
    assert run | {"ended", "path"} == {*OF_A_RUN.split()}
    assert sorted(cbtrun.CheckedStudy.__dataclass_fields__) == OF_A_STUDY.split()


def test_the_frames_have_these_columns() -> None:
    found = {
        name: [f"{one.name}:{one.kind}" for one in frame.columns if one.means and one.source]
        for name, frame in frame_columns().items()
    }
    assert found == {name: columns.split() for name, columns in COLUMNS.items()}


def test_every_name_and_attribute_stands_on_the_page() -> None:
    page = (DOCS / "python.md").read_text(encoding="utf-8")
    told = [
        *NAMES.split(),
        *OF_A_RUN.split(),
        *OF_A_STUDY.split(),
        *(one for said in ARGUMENTS.values() for one in said.split()),
    ]
    assert [
        name for name in told if f"`{name}" not in page and f"cbtrun.{name}`" not in page and f"{name}=" not in page
    ] == []


def test_an_import_loads_nothing_but_the_names() -> None:
    program = "import cbtrun, sys, json; print(json.dumps(sorted(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    loaded = {name.partition(".")[0] for name in json.loads(said)}
    assert loaded & {"pandas", "polars", "numpy", "pydantic", "click", "yaml", "asyncio", "pluggy"} == set()


def test_a_name_that_is_not_there_is_told_as_of_any_module() -> None:
    with pytest.raises(AttributeError, match=r"^module 'cbtrun' has no attribute 'load_runs'$"):
        cbtrun.load_runs  # noqa: B018


def test_run_is_the_room_too_so_that_what_imports_from_it_goes_on() -> None:
    import cbtrun.run.options

    assert cbtrun.run.options.RunOptions().concurrency == 256  # type: ignore[attr-defined]
    assert callable(cbtrun.run)
