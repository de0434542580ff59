"""The report's input under the labels that people read: the one place where a name becomes its label.

Figures, tables, sentences and filters take what they are given, and need to know nothing of labels.
"""

from __future__ import annotations

from dataclasses import replace

from cbtrun.plugin import (
    ARM,
    Labels,
    labelled_results,
    labelled_session,
    labelled_study,
    nothing_scored,
)
from cbtrun.plugins.report.inputs import ReportInput


def labelled(given: ReportInput, labels: Labels) -> ReportInput:
    """The input with every arm, factor, level and item under its label; as it is where there is none."""
    if not labels:
        return given
    results, study = labelled_results(given.results, labels), labelled_study(given.study, labels)
    environment = given.environment
    retries = {
        stage: {labels.level(ARM, arm): count for arm, count in by_arm.items()}
        for stage, by_arm in environment.retries.items()
    }
    moved = {
        stage: {labels.level(ARM, arm): count for arm, count in by_arm.items()}
        for stage, by_arm in environment.moved.items()
    }
    served = tuple(replace(one, arm=labels.level(ARM, one.arm)) for one in environment.served)
    facts = {name: rated.rubric for name, rated in results.ratings.items()}
    return replace(
        given,
        study=study,
        results=results,
        sessions=tuple(labelled_session(one, labels) for one in given.sessions),
        rated={name: replace(one, rubric=facts.get(name, one.rubric)) for name, one in given.rated.items()},
        unscored=nothing_scored(results, study),
        environment=replace(environment, retries=retries, moved=moved, served=served),
        labelled_outcomes=frozenset(labels.items),
        by_name=given,
    )
