"""What can be told of people's files before there is a run: that they can be read, and fit their rubric."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbtrun.errors import Problem

if TYPE_CHECKING:
    from cbtrun.ratings.rubric import Rubric
    from cbtrun.study.spec import Study


def people_problems(study: Study) -> list[Problem]:
    """Columns, items and scores that do not fit, with file and line; a source that no rating set gives a rubric."""
    if not study.people:
        return []
    from cbtrun.people.source import block_problems

    found: list[Problem] = []
    for name in study.people:
        rubric = rubric_of_people(study, name)
        if rubric is None:
            what = "the study has several rating sets, or none: say whose rubric they used with `ratings: SET`"
            found.append(Problem(study.place("people", name), f"people/{name}", what))
        else:
            found += block_problems(name, study.options("people", name), rubric)
    return found


def people_words(study: Study) -> list[str]:
    """What each source brings, for the plan."""
    from cbtrun.people.source import source_words

    rubrics = {name: rubric_of_people(study, name) for name in study.people}
    return [source_words(name, study.options("people", name), one) for name, one in rubrics.items() if one]


def rubric_of_people(study: Study, name: str) -> Rubric | None:
    """The rubric that people used: of the rating set that they name, or of the study's only one."""
    sets = study.rating_sets
    used = str(study.people[name].get("ratings") or (next(iter(sets)) if len(sets) == 1 else ""))
    return study.rubrics().get(sets[used].rubric) if used in sets else None
