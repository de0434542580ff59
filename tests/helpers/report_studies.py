"""Made-up studies for the tests of the report: realistic in shape, drawn from a seed, no model involved."""

from __future__ import annotations

import random
from importlib.resources import files
from pathlib import Path
from typing import Any

from cbtrun.contract.digests import digest
from cbtrun.contract.records import (
    Comparison,
    Effect,
    Group,
    Interval,
    ItemScore,
    Persona,
    Quote,
    Rating,
    Session,
    Situation,
    Test,
    Turn,
)
from cbtrun.plugins.report.inputs import (
    Environment,
    ReportInput,
    ReportOptions,
    StageCost,
    TrainingPoint,
    may_show_transcripts,
)
from cbtrun.ratings.rubric import Rubric, rubric_digest
from cbtrun.ratings.rubric_file import read_rubric
from cbtrun.results.build import build_results
from cbtrun.scores.rated_sets import RatedSet
from cbtrun.statistics.clustered import clustered_interval
from tests.helpers.rating_fakes import rated_set

THERAPIST = (
    "What would you like to put on our agenda for today?",
    "So when your manager did not reply, the thought was that you had already failed. Did I get that right?",
    "What is the evidence for that thought, and what speaks against it?",
    "On a scale from 0 to 100, how strongly do you believe it right now?",
    "Could we try a small experiment this week: write down one thing each evening that went as planned?",
    "How was today's session for you? Was there anything that did not sit right?",
)
PATIENT = (
    "I keep waking at four and then I lie there going through everything I did wrong.",
    "Yes. I thought: that is it, they have seen through me.",
    "Well, she has been busy. But it felt so certain at the time.",
    "Maybe seventy. It was ninety when it happened.",
    "I can try. I do not promise I will manage every evening.",
    "It helped to see it written down.",
)


def ctrs() -> Rubric:
    """The rubric that ships with cbtrun."""
    return read_rubric(Path(str(files("cbtrun.rubrics").joinpath("ctrs.yaml"))))


def made_up_study(
    n_personas: int = 20, seed: int = 7, spec: dict[str, Any] | None = None, turns: int = 12, **options: Any
) -> ReportInput:
    """Three arms by personas, one rater on the CTRS; one session in fifteen has an item without a score."""
    study = paper_spec(n_personas) | (spec or {})
    rubric = ctrs()
    sessions = tuple(
        _session(arm, block["factors"], f"p{number:03}", seed, turns)
        for arm, block in study["arms"].items()
        for number in range(1, n_personas + 1)
    )
    rated = {"ctrs": rated_set([_rating(session, rubric, seed) for session in sessions], rubric)}
    comparisons = [_comparison(rated["ctrs"], sessions, outcome) for outcome in ("total", "agenda", "homework")]
    shown = ReportOptions(**options)
    return ReportInput(
        study=study,
        results=build_results(study, digest(study), sessions, rated, comparisons),
        sessions=sessions,
        rated=rated,
        personas={one.id: one for one in (_persona(f"p{number:03}", seed) for number in range(1, n_personas + 1))},
        environment=made_up_environment(),
        training={"tiny-cbt": _curve(seed, 1.9), "tiny-supportive": _curve(seed + 1, 2.1)},
        show_transcripts=may_show_transcripts(shown.transcripts, real_people=study.get("contains") == "real-people"),
        options=shown,
    )


def paper_spec(n_personas: int = 20) -> dict[str, Any]:
    """A spec with every stage."""
    job = {"using": "sft", "base": "tiny", "lora": {"rank": 8, "alpha": 16}, "max_steps": 150, "learning_rate": 1e-3}
    course = {"using": "written-course", "author": "author", "personas": "train", "course": "depression-20"}
    return {
        "cbtrun": 1,
        "study": "paper",
        "title": "Does tuning a small model on CBT transcripts raise its CTRS score?",
        "question": "Is a model tuned on CBT transcripts rated as a more competent CBT therapist than the untuned model, "
        "and is it more than warmth?",
        "seed": 2412,
        "models": {"author": {"using": "grammar"}, "rater": {"using": "lexical-rater"}},
        "personas": {
            "train": {"using": "sampled", "attributes": "depression", "count": 24},
            "eval": {"using": "sampled", "attributes": "depression", "count": n_personas},
        },
        "corpus": {"cbt": {**course, "register": "cbt"}, "supportive": {**course, "register": "supportive"}},
        "tune": {"tiny-cbt": {**job, "corpus": "cbt"}, "tiny-supportive": {**job, "corpus": "supportive"}},
        "arms": {
            "untuned": {"therapist": "tiny", "factors": {"tuning": "none"}},
            "cbt": {"therapist": "tiny-cbt", "factors": {"tuning": "cbt"}},
            "supportive": {"therapist": "tiny-supportive", "factors": {"tuning": "supportive"}},
        },
        "sessions": {"using": "dialogue", "patient": "patient", "personas": "eval", "max_turns": 24, "repeats": 1},
        "ratings": {"ctrs": {"using": "rubric", "rubric": "ctrs", "raters": ["rater"], "repeats": 1}},
        "analysis": {
            "main": {"using": "paired", "outcome": "ctrs.total", "factor": "tuning", "levels": ["cbt", "none"]}
        },
        "report": {"using": "html"},
        "assumptions": {"sessions.max_turns": "The paper gives no limit; 24 turns is a session of about 50 minutes."},
    }


def made_up_environment() -> Environment:
    """A laptop."""
    return Environment(
        versions={
            "cbtrun": "0.1.0",
            "python": "3.11.9",
            "torch": "2.13.0",
            "transformers": "5.23.0",
            "scipy": "1.17.1",
        },
        hardware={"processor": "A laptop's processor", "cores": "8", "memory_gib": "15.4"},
        started="2026-11-23T08:00:00+00:00",
        finished="2026-11-23T08:21:40+00:00",
        stages=(
            StageCost("tune.tiny-cbt", seconds=312.0),
            StageCost("sessions", seconds=604.2, calls=1440, tokens_in=812_400, tokens_out=64_310),
            StageCost("ratings.ctrs", seconds=21.9, calls=60, tokens_in=120_000, tokens_out=31_000, usd=0.42),
        ),
    )


def _persona(id_: str, seed: int) -> Persona:
    draw = random.Random(f"{seed}/{id_}/persona")
    situation = Situation(
        event="The review.", thought="They have seen through me.", feeling="shame", behaviour="I left."
    )
    return Persona(
        id=id_,
        name=draw.choice(["Ana", "Bo", "Cem"]),
        age=draw.randint(20, 70),
        gender="woman",
        occupation="clerk",
        living_situation="alone",
        presenting_problem="I cannot sleep.",
        phq9=draw.randint(8, 24),
        symptoms=("I wake at four",),
        situations=(situation,),
        automatic_thoughts=("I failed",),
        intermediate_beliefs=("If I rest, I am lazy",),
        core_beliefs=("I am a failure",),
        distortions=("labelling",),
        history="A long winter.",
        strengths=("humour",),
        goals=("sleep",),
        engagement_style=draw.choice(["open", "guarded", "sceptical"]),
        disclosure_style="gradual",
        risk=draw.choice(["none", "none", "passive-ideation"]),
        speech="slow",
    )


def _session(arm: str, factors: dict[str, str], persona: str, seed: int, turns: int) -> Session:
    draw = random.Random(f"{seed}/{arm}/{persona}/session")
    pairs = [(THERAPIST[at % 6], PATIENT[at % 6]) for at in range(draw.randint(turns // 3, turns // 2))]
    spoken = [
        turn
        for asked, said in pairs
        for turn in (Turn(speaker="therapist", text=asked), Turn(speaker="patient", text=said))
    ]
    long = len(pairs) >= turns // 2
    return Session(
        id=f"{arm}-{persona}-1",
        arm=arm,
        persona=persona,
        draw=digest([arm, persona]),
        factors=factors,
        turns=tuple(spoken),
        ended="max_turns" if long else "farewell",
        flags=("repeats_itself: turn 7",) if draw.random() < 0.06 else (),
    )


def _rating(session: Session, rubric: Rubric, seed: int) -> Rating:
    draw = random.Random(f"{seed}/{session.id}/rating")
    skill = {"cbt": 3.6, "supportive": 2.5, "untuned": 2.1}[session.arm or ""] + random.Random(
        f"{seed}/{session.persona}"
    ).gauss(0, 0.5)
    scores = [_score(item.id, skill, draw, session) for item in rubric.items if item.type != "text"]
    if draw.random() < 1 / 15:
        scores[3] = ItemScore(item=scores[3].item, score=None, reason="quote not found: “I never said that”")
    return Rating(
        session=session.id,
        set="ctrs",
        rubric=rubric.name,
        rubric_version=rubric.version,
        rubric_digest=rubric_digest(rubric),
        rater="rater",
        scores=tuple(scores),
    )


def _score(item: str, skill: float, draw: random.Random, session: Session) -> ItemScore:
    points = max(0, min(6, round(draw.gauss(skill, 1))))
    at = draw.randrange(0, len(session.turns), 2)
    said = session.turns[at].text
    evidence = (Quote(turn=at + 1, text=said[: draw.randint(12, len(said))]),) if points else ()
    return ItemScore(
        item=item, score=points, rationale="The therapist does this in passing.", evidence=evidence, absent=points == 0
    )


def _curve(seed: int, start: float) -> tuple[TrainingPoint, ...]:
    draw = random.Random(f"{seed}/curve")
    return tuple(
        TrainingPoint(
            step,
            start * 0.985**step + 0.6 + draw.gauss(0, 0.03),
            start * 0.987**step + 0.7 if step % 30 == 0 else None,
            1e-3 * (1 - step / 150),
            2000 + draw.gauss(0, 90),
        )
        for step in range(0, 151, 5)
    )


def _comparison(rated: RatedSet, sessions: tuple[Session, ...], outcome: str) -> Comparison:
    """Difference of cbt and none by persona, with numbers that follow from the values (the tests' p is made up)."""
    values = rated.values[outcome]
    by_level = {
        level: {
            s.persona: value
            for s in sessions
            if s.factors.get("tuning") == level and (value := values[s.id]) is not None
        }
        for level in ("cbt", "none")
    }
    both = sorted(by_level["cbt"].keys() & by_level["none"].keys(), key=str)
    differences = [by_level["cbt"][one] - by_level["none"][one] for one in both]
    mean = sum(differences) / len(differences)
    span = clustered_interval(differences, [str(one) for one in both])
    groups = tuple(
        Group(level=level, n=len(both), missing=0, mean=sum(v.values()) / len(v), sd=1.0, median=1.0)
        for level, v in by_level.items()
    )
    words = f"{mean:.1f} points (95 % CI {span.low:.1f} to {span.high:.1f})" if span else f"{mean:.1f} points"
    return Comparison(
        analysis="main",
        design="paired",
        outcome=f"ctrs.{outcome}",
        factor="tuning",
        levels=("cbt", "none"),
        groups=groups,
        n=len(both),
        unit_of_analysis="pair of one persona",
        estimate=mean,
        interval=span,
        effects=(Effect(name="dz", value=0.98, interval=Interval(low=0.43, high=1.51, method="noncentral t")),),
        tests=(
            Test(name="t", statistic=4.38, df=len(both) - 1, p=0.00032, p_adjusted=0.00096),
            Test(name="wilcoxon", statistic=190, p=0.0008),
        ),
        correction="holm",
        family=3,
        checks=("Differences are close to normal (Shapiro-Wilk p = 0.41): nothing changes.",),
        notes=(),
        sentence=f"Sessions of cbt scored {words} higher on {outcome} than those of none, n = {len(both)} pairs.",
    )
