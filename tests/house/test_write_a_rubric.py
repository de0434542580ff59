"""The walk through docs/write-a-rubric.md, as somebody new would do it."""

from collections.abc import Callable

from cbtrun.contract.records import ItemScore, Rating
from cbtrun.ratings.rubric import rubric_digest
from cbtrun.results.records import read_results
from cbtrun.testing.projects import StudyProject
from tests.helpers.places import DOCS
from tests.helpers.rating_fakes import RUBRIC, score_table

PAGE = DOCS / "write-a-rubric.md"
Project = Callable[[dict[str, str]], StudyProject]


def started(study_project: Project) -> StudyProject:
    """A new rubric and a new study that names it."""
    project = study_project({})
    assert project.run("new", "rubric", "warmth").code == 0
    assert project.run("new", "study", "mine").code == 0
    project.write("mine.yaml", project.read("mine.yaml").replace("rubric: ctrs", "rubric: ./warmth.yaml"))
    return project


def test_a_new_rubric_rates_the_new_studys_transcripts(study_project: Project) -> None:
    project = started(study_project)
    done = project.run("mine.yaml")
    assert done.code == 0, done.err
    (rated,) = read_results(project.read("runs/mine/results.json")).ratings.values()
    assert [one.outcome for one in rated.outcomes] == ["ctrs.total", "ctrs.warmth", "ctrs.clarity"]
    assert all(group.n == 4 for one in rated.outcomes for group in one.groups["all"])


def test_a_mistake_in_a_rubric_reads_as_the_docs_show_it(study_project: Project) -> None:
    project = started(study_project)
    project.write("warmth.yaml", project.read("warmth.yaml").replace("high: 12", "high: 66"))
    done = project.run("validate", "mine.yaml")
    assert done.code == 2
    assert done.err.strip() in PAGE.read_text(encoding="utf-8")


def test_an_analysis_takes_the_aggregate_of_its_rating_set_unless_it_has_its_own() -> None:
    ratings = [
        Rating(
            session="s",
            set="panel",
            rubric=RUBRIC.name,
            rubric_version=RUBRIC.version,
            rubric_digest=rubric_digest(RUBRIC),
            rater="r",
            repeat=repeat,
            scores=(ItemScore(item="agenda", score=score),),
        )
        for repeat, score in enumerate((0, 0, 6), start=1)
    ]
    panel, other = (score_table(ratings, RUBRIC, aggregate) for aggregate in ("median", "mean"))
    chosen = [panel.of("agenda", None), panel.of("agenda", "mean"), other.of("agenda", None)]
    assert [scores["s"].value for scores in chosen] == [0, 2, 2]


def test_a_new_aggregate_of_a_rating_set_makes_its_analysis_again(study_project: Project) -> None:
    project = started(study_project)
    assert project.run("mine.yaml").code == 0
    project.write(
        "mine.yaml", project.read("mine.yaml").replace("raters: [rater]", "raters: [rater], aggregate: median")
    )
    assert "analysis.main" in project.run("mine.yaml").err
