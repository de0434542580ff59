"""How a run ended, as the terminal tells it: the finding, what is missing, what asks for care, what to open; as JSON too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from cbtrun.run.options import Outcome
    from cbtrun.study.spec import Study

MOST_UNSCORED, MOST_DEVIATIONS, MOST_GROUPS = 20, 10, 20
"""Parts without a score, deviations from a registration, and kinds of failures that are told on the terminal."""


def say_outcome(outcome: Outcome, study: Study | None = None, *, quiet: bool = False) -> int:
    """Print how a run ended, with what the study opens with. Returns the exit code.

    quiet: what went wrong or asks for care alone.
    """
    from cbtrun.run.replayed import told_of_replay

    _say_failures(outcome)
    _say_gaps(outcome)
    for stage, why in outcome.kept.items():
        click.echo(f"{stage} {why}; it is kept as it is: --redo {stage} does it again", err=True)
    for line in told_of_replay(outcome):
        click.echo(f"replayed: {line}", err=True)
    for stage in outcome.changed:
        click.echo(f"{stage}: what it had written was changed since; it was made again", err=True)
    _say_promise(outcome, quiet=quiet)
    for sentence in outcome.drifts:
        click.echo(f"warning: {sentence}", err=True)
    if not quiet:
        for line in _end_lines(outcome, study):
            click.echo(line)
    return exit_code(outcome)


def exit_code(outcome: Outcome) -> int:
    """3 where units failed or something has no score, else 0."""
    return 3 if outcome.failures or outcome.unscored else 0


def outcome_values(outcome: Outcome, study: Study) -> dict[str, Any]:
    """How a run ended, for `--json`: see docs/command-line.md for its keys."""
    from cbtrun.results.failure_groups import failure_groups

    code = exit_code(outcome)
    return {
        "command": "run",
        "exit_code": code,
        "state": "incomplete" if code else "done",
        "study": study.name,
        "rehearsal": bool(study.stand_ins),
        "folder": str(outcome.folder.path),
        "stages": {**dict.fromkeys(outcome.up_to_date, "up to date"), **dict.fromkeys(outcome.done, "done")},
        "calls": {"made": outcome.tally.made, "kept": outcome.tally.replayed, "retries": outcome.tally.retries.total()},
        "tokens": {"in": outcome.tally.tokens_in, "out": outcome.tally.tokens_out},
        "usd": 0.0 if study.stand_ins else outcome.tally.usd,
        "failed": len(outcome.failures),
        "failures": [
            {"stage": one.stage, "units": len(one.units), "first": one.units[0], "reason": one.reason}
            for one in failure_groups(outcome.failures)
        ],
        "nothing_scored": [str(one) for one in outcome.unscored],
        "left_out": list(outcome.left_out),
        "missing": missing_of(outcome),
        "warnings": [*outcome.drifts, *(f"{stage} {why}" for stage, why in outcome.kept.items())],
        "read_with_care": outcome.cares,
        "registration": outcome.promise and outcome.promise.words,
        "finding": finding_of(outcome, study),
        "results": str(outcome.folder.results) if outcome.folder.results.exists() else None,
        "report": str(outcome.report) if outcome.report else None,
        "log": str(outcome.folder.path / "run.log"),
    }


def finding_of(outcome: Outcome, study: Study) -> str:
    """The sentence that the report opens with; empty where nothing was compared, and in a rehearsal."""
    from cbtrun.analysis.headline import headline_of
    from cbtrun.contract.labels import labels_of
    from cbtrun.results.labelled import labelled_comparison
    from cbtrun.results.records import results_in
    from cbtrun.results.spoken import ends_of, on_its_scale

    if not outcome.folder.results.exists() or study.stand_ins:  # a rehearsal finds nothing
        return ""
    results = results_in(outcome.folder.results)
    found = headline_of(results.comparisons, study, str(study.report.options.get("headline", "")))
    if found is None:
        return ""
    said = labelled_comparison(found, labels_of(study)).sentence
    return on_its_scale(said, ends_of(results).get(found.outcome, (None, None)))


def missing_of(outcome: Outcome) -> dict[str, int]:
    """What is missing of what was asked for: item scores, and all of them; empty where there are no results."""
    from cbtrun.results.records import results_in

    if not outcome.folder.results.exists():
        return {}
    counts = results_in(outcome.folder.results).counts
    return {"scores_missing": sum(counts.unscored.values()), "scores_asked": counts.scores, "sessions": counts.sessions}


def _end_lines(outcome: Outcome, study: Study | None) -> list[str]:
    """What was found, what is missing, how many notes ask for care, and what to open."""
    lines = []
    if not outcome.failures and not outcome.done and not outcome.changed:
        lines.append("Nothing to do: every stage is up to date.")
    if study is not None and (finding := finding_of(outcome, study)):
        lines.append(f"finding: {finding}")
    if study is not None and outcome.done and (missing := _missing_words(outcome)):
        lines.append(f"missing: {missing}")
    if outcome.cares:
        lines.append(f'care:    {outcome.cares} note{"s" * (outcome.cares != 1)} under "Read with care" in the report')
    if outcome.folder.results.exists():
        lines.append(f"results: {outcome.folder.results}")
    if outcome.report is not None:
        lines.append(f"report:  {outcome.report}")
        if outcome.report.suffix == ".html" and study is not None:
            lines.append(f"open:    cbtrun view {outcome.folder.path} --open")
    return lines


def _missing_words(outcome: Outcome) -> str:
    counts = missing_of(outcome)
    if not counts:
        return ""
    parts = []
    if asked := counts["scores_asked"]:
        parts.append(
            f"{counts['scores_missing'] or 'none':{',' if counts['scores_missing'] else ''}} of {asked:,} item scores"
        )
    if outcome.failures:
        parts.append(f"{len(outcome.failures):,} failed unit{'s' * (len(outcome.failures) != 1)}")
    return ", ".join(parts)


def _say_failures(outcome: Outcome) -> None:
    """Print what failed by kind, capped: the log and the list have all in full."""
    from cbtrun.results.failure_groups import failure_groups

    groups = failure_groups(outcome.failures)
    for group in groups[:MOST_GROUPS]:
        click.echo(f"failed: {group}", err=True)
    if more := groups[MOST_GROUPS:]:
        click.echo(f"failed: {sum(len(one.units) for one in more):,} more of {len(more)} other kinds", err=True)
    if outcome.failures:
        where = f" Each stands in {outcome.failure_list}." if outcome.failure_list else ""
        click.echo(f"{len(outcome.failures)} failed; the same command tries just those again.{where}", err=True)


def _say_gaps(outcome: Outcome) -> None:
    """Print what has no score, and whom no rater was asked about."""
    for part in outcome.unscored[:MOST_UNSCORED]:
        click.echo(f"nothing scored: {part}", err=True)
    if more := outcome.unscored[MOST_UNSCORED:]:
        click.echo(f"nothing scored: {len(more)} more; see the report", err=True)
    for line in outcome.left_out:
        click.echo(f"left unscored: {line}", err=True)


def _say_promise(outcome: Outcome, *, quiet: bool) -> None:
    if outcome.promise is None:
        return
    if not quiet:
        click.echo(f"registration: {outcome.promise.words.replace('listed below', 'all in the report')}")
    for deviation in outcome.promise.deviations[:MOST_DEVIATIONS]:
        click.echo(f"  {deviation}", err=True)
