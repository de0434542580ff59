"""The report's section on the raters: the request word for word, human norms, severity and what was looked at."""

from html import unescape
from importlib.resources import files

import pytest

from cbtrun.ratings.request import rendered_example
from cbtrun.ratings.rubric_file import read_rubric
from cbtrun.testing.projects import StudyProject
from tests.helpers.places import RUBRICS

STUDY = f"""\
cbtrun: 1
study: raters
title: t
seed: 3
contains: none
models: {{a: {{using: lexical-rater}}, b: {{using: lexical-rater}}}}
sessions:
  using: import
  path: {files("cbtrun.specs").joinpath("examples", "transcripts.csv")}
  columns: {{session: transcript_id, order: utterance_id, speaker: interlocutor, text: utterance_text}}
  speakers: {{therapist: therapist, client: patient}}
  factors: {{kind: kind}}
ratings:
  ctrs: {{using: rubric, rubric: ctrs, raters: [a, b]}}
  assumed: {{using: rubric, rubric: ctrs-modified, raters: [a]}}
report: {{using: html, figures: [], tables: [csv]}}
"""


@pytest.mark.slow
def test_the_report_shows_requests_norms_severity_and_the_assumed_scale(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    project = StudyProject(tmp_path_factory.mktemp("raters"))
    project.write("study.yaml", STUDY)
    done = project.run()
    assert done.code == 0, done.err
    page = unescape(project.read("runs/raters/report.html"))
    asked = rendered_example(read_rubric(RUBRICS / "ctrs.yaml"))
    assert all(message.content in page for message in asked)
    assert "Goldberg, S. B." in page
    assert "Severity of raters" in page
    assert "Limits of agreement" in page
    assert "What was looked at" in page
    assert page.count("ASSUMED SCALE") > 5  # under every table and figure of scores
