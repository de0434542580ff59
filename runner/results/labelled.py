"""Results, sessions and studies under the labels that people read, where they had names: for everything that is shown.

Each gives a copy in which a name is a label wherever it stands, so that whoever draws, lists or filters needs to know
nothing of labels. Files for programs are made from what has the names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from cbtrun.contract.labels import ALL, ARM, Labels, outside_names
from cbtrun.contract.records import Comparison, Group, Session
from cbtrun.contract.study_view import StudyView
from cbtrun.results.records import OutcomeSummary, RatingSetResults, Results
from cbtrun.statistics.sentences import kept_text
from cbtrun.statistics.wording import level_name

G = TypeVar("G", bound=Group)
AMONG = "Among sessions with "


def labelled_results(results: Results, labels: Labels) -> Results:
    """Results in which factors, levels, arms and items have their labels, in sentences too."""
    return results.model_copy(
        update={
            "ratings": {name: _rating_set(name, one, labels) for name, one in results.ratings.items()},
            "comparisons": tuple(labelled_comparison(one, labels) for one in results.comparisons),
        }
    )


def labelled_comparison(one: Comparison, labels: Labels) -> Comparison:
    """A comparison with its factor, levels, groups and filters under their labels."""
    compared = labels.of_analysis.get(one.analysis, "")
    where = {
        labels.factor(name): tuple(labels.level(name, level) for level in kept) for name, kept in one.where.items()
    }
    update = {
        "factor": labels.factor(one.factor),
        "levels": tuple(labels.level(one.factor, level) for level in one.levels),
        "groups": tuple(_group(group, one.factor, labels) for group in one.groups),
        "moderated": tuple(labels.level(compared, level) for level in one.moderated),
        "where": where,
    }
    changed = one.model_copy(update=update)
    texts = {key: tuple(_said(text, one, changed, labels) for text in getattr(one, key)) for key in ("checks", "notes")}
    return changed.model_copy(update={**texts, "sentence": _said(one.sentence, one, changed, labels)})


def labelled_session(session: Session, labels: Labels) -> Session:
    """A session whose arm and levels have their labels; its id and every word in it stay."""
    arm = labels.level(ARM, session.arm) if session.arm is not None else None
    factors = {labels.factor(name): labels.level(name, level) for name, level in session.factors.items()}
    return session.model_copy(update={"arm": arm, "factors": factors})


def labelled_study(study: StudyView, labels: Labels) -> StudyView:
    """A study that speaks of its arms, factors and levels by their labels wherever it names them."""
    data = dict(study)
    data["arms"] = {
        labels.level(ARM, name): {**arm, "factors": _by_factor(arm.get("factors"), labels)}
        for name, arm in study.blocks("arms").items()
    }
    if factors := study.sessions.factors:
        sessions = {**data["sessions"], "factors": {labels.factor(name): told for name, told in factors.items()}}
        data["sessions"] = sessions
    for stage in ("analysis", "compare_with"):
        if stage in data:
            data[stage] = {name: _question(block, labels) for name, block in data[stage].items()}
    return StudyView({key: value for key, value in data.items() if value or key in study})


def _question(block: Any, labels: Labels) -> Any:
    """An analysis, or what is compared with something published: all that names factors or levels in it."""
    if not isinstance(block, Mapping):
        return block
    factor = str(block.get("factor", ""))
    changed = {key: _part(key, value, factor, labels) for key, value in block.items()}
    if isinstance(contrast := changed.get("contrast"), Mapping):
        changed["contrast"] = {key: _part(key, value, factor, labels) for key, value in contrast.items()}
    return changed


def _part(key: str, value: Any, factor: str, labels: Labels) -> Any:
    if key in ("factor", "by") and isinstance(value, str):
        return labels.factor(value)
    if key in ("factors", "by") and isinstance(value, list):
        return [labels.factor(one) if isinstance(one, str) else one for one in value]
    if key == "levels" and isinstance(value, list | tuple):
        return [labels.level(factor, str(level)) for level in value]
    if key == "levels" and isinstance(value, Mapping):
        if factor:  # of something published: level -> its values
            return {labels.level(factor, str(level)): told for level, told in value.items()}
        return {labels.factor(one): [labels.level(one, str(level)) for level in own] for one, own in value.items()}
    return _by_factor(value, labels) if key == "where" else value


def _by_factor(value: Any, labels: Labels) -> Any:
    """Factor -> level, or a list of them."""
    if not isinstance(value, Mapping):
        return {} if value is None else value
    return {
        labels.factor(name): [labels.level(name, str(one)) for one in said]
        if isinstance(said, list | tuple)
        else labels.level(name, str(said))
        for name, said in value.items()
    }


def _rating_set(name: str, rated: RatingSetResults, labels: Labels) -> RatingSetResults:
    facts = rated.rubric
    items = tuple(one.model_copy(update={"title": labels.item(f"{name}.{one.id}", one.title)}) for one in facts.items)
    arms = labels.levels.get(ARM, {})
    return rated.model_copy(
        update={
            "rubric": facts.model_copy(update={"items": items}),
            "outcomes": tuple(_outcome(one, labels) for one in rated.outcomes),
            "diagnostics": tuple(
                one.model_copy(
                    update={
                        "about": arms.get(one.about, one.about),
                        "says": _names(one.says, labels),
                        "warning": _names(one.warning, labels),
                    }
                )
                for one in rated.diagnostics
            ),
        }
    )


def _outcome(one: OutcomeSummary, labels: Labels) -> OutcomeSummary:
    groups = {
        grouping if grouping in (ALL, ARM) else labels.factor(grouping): tuple(
            _group(group, grouping, labels) for group in found
        )
        for grouping, found in one.groups.items()
    }
    return one.model_copy(update={"title": labels.item(one.outcome, one.title), "groups": groups})


def _group(group: G, factor: str, labels: Labels) -> G:
    return group.model_copy(update={"level": labels.level(factor, group.level)})


def _said(text: str, named: Comparison, changed: Comparison, labels: Labels) -> str:
    """A sentence about a comparison. named, changed: the comparison under its names, and under its labels."""
    among = f"{AMONG}{kept_text(named)}: "
    if named.where and text.startswith(among):
        return f"{AMONG}{kept_text(changed)}: {_said(text.removeprefix(among), named, changed, labels)}"
    pairs = [(a.level, b.level) for a, b in zip(named.groups, changed.groups, strict=True)]
    pairs += [*zip(named.levels, changed.levels, strict=True), *zip(named.moderated, changed.moderated, strict=True)]
    known = {level_name(old, named.factor): level_name(new, changed.factor) for old, new in pairs}
    factor = rf"(?<=\b(?:of|on|in) ){re.escape(named.factor)}(?![\w-])|(?<=\(){re.escape(named.factor)}(?=\))"

    def word(part: str) -> str:
        return part if named.factor == changed.factor else re.sub(factor, lambda _: changed.factor, part)

    return outside_names(text, word, lambda name: known.get(name) or labels.every_level.get(name, name))


def _names(text: str, labels: Labels) -> str:
    """A sentence with the names in its backticks as labels."""
    return outside_names(text, lambda words: words, lambda name: labels.every_level.get(name, name))
