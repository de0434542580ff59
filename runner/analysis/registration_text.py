"""A registration as prose, under the headings of the forms that OSF and AsPredicted have for one.

Headings are those of OSF's "OSF Preregistration" template and of AsPredicted's nine questions, as they stood in 2025.
Answers are taken from the registration alone; what no study file says is left to its authors, in brackets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cbtrun.contract.study_view import StudyView, view_of

if TYPE_CHECKING:
    from cbtrun.analysis.preregistration import Registration
    from cbtrun.contract.study_blocks import AnalysisBlock, Arm, RatingSet

Answer = tuple[str, Callable[["_Told"], Sequence[str]]]
TOLD_APART = ("using", "outcome", "outcomes", "factor", "factors", "levels")
"""Options of an analysis that its sentence begins with; the others follow by name."""
NOT_SAID = "[Not in the study's file: for the authors to say.]"


def registration_text(registration: Registration) -> str:
    """Markdown with the answers to both forms, the digest first."""
    told = _Told(registration)
    parts = [
        f"# Registration of {registration.study}",
        *told.digest(),
        "## For OSF (OSF Preregistration)",
        *_form(told, OSF),
        "## For AsPredicted",
        *_form(told, AS_PREDICTED),
    ]
    return "\n\n".join(parts) + "\n"


def _form(told: _Told, form: Sequence[Answer]) -> list[str]:
    return [line for heading, answer in form for line in (f"### {heading}", *(answer(told) or (NOT_SAID,)))]


class _Told:
    """The paragraphs that the answers are put together from."""

    def __init__(self, registration: Registration) -> None:
        self.registration = registration
        self.study = _in_order(registration)

    def digest(self) -> list[str]:
        one = self.registration
        return [
            f"cbtrun registration of {one.study}, SHA-256 {one.digest}, made on {one.registered_at} by the clock of the "
            "machine that wrote it. Whoever has the file of the registration can check that it has this digest."
        ]

    def _are_read(self) -> bool:
        """Whether sessions come from a file and nobody plays them."""
        return bool(self.study.sessions.options.get("path")) and not self.study.sessions.patient

    def title(self) -> list[str]:
        return [self.study.title]

    def question(self) -> list[str]:
        asked = self.study.get("question")
        return [*([str(asked)] if asked else []), f"The question of the study: {self.study.title}"]

    def existing(self) -> list[str]:
        if self._are_read():
            return [
                "Yes. The sessions exist already and are read from a file, which is frozen by its digest (below). The "
                "authors state whether they had seen outcomes of these sessions before: [for the authors to say]."
            ]
        return [
            "No. Sessions are simulated, and rated, by runs that begin after the registration; the report of the study says "
            "so where a run had begun before."
        ]

    def collection(self) -> list[str]:
        block = self.study.sessions
        if self._are_read():
            return [f"Sessions are read from {block.options.get('path', 'a file')}."]
        longest = f" Each has at most {block.max_turns} turns." if block.max_turns else ""
        return [f"A model of a therapist talks with a model of a patient (`{block.patient}`).{longest}"]

    def design(self) -> list[str]:
        arms = [f"- {_arm(arm)}" for arm in self.study.arms.values()]
        if arms:
            return [f"{len(arms)} arms, by the model that plays the therapist:", "\n".join(arms)]
        factors = ", ".join(f"{name} (column {column})" for name, column in self.study.sessions.factors.items())
        return [f"Observational: sessions differ by {factors}."] if factors else []

    def size(self) -> list[str]:
        block, personas = self.study.sessions, self.study.personas.get(self.study.sessions.personas)
        if personas is None:
            return ["Every session of the file; their number is fixed with it."]
        count = f"{personas.count} simulated patients" if personas.count else "the simulated patients of the study"
        each = f"{block.repeats * block.sessions} session{'s' if block.repeats * block.sessions != 1 else ''}"
        seeds = [f"{job.name}: {len(job.seeds)}" for job in self.study.tune_jobs.values()]
        tunings = f" Trainings of each tuned model: {', '.join(seeds)}." if seeds else ""
        return [f"{count}, {each} of each in every arm.{tunings} Nothing is added or stopped early by what is found."]

    def measures(self) -> list[str]:
        return [f"- {_rating_set(one, self.registration.rubrics)}" for one in self.study.rating_sets.values()]

    def analyses(self) -> list[str]:
        one = self.registration
        told = [f"{number}. {_analysis(block)}" for number, block in enumerate(self.study.analyses.values(), 1)]
        return ["\n".join(told), f"The report opens with the analysis `{one.headline}`."]

    def inference(self) -> list[str]:
        rules = [
            f"- `{name}`: p adjusted by {block.options['correction']} over the family `{block.options.get('family', 'block')}`"
            for name, block in self.study.analyses.items()
            if block.options.get("correction")
        ]
        return ["Two-sided at 0.05, unless an analysis says otherwise.", "\n".join(rules)] if rules else []

    def exclusion(self) -> list[str]:
        excluded = self.study.sessions.options.get("exclude") or []
        rules = [f"Sessions with these flags count as excluded: {_listed(excluded)}."] if excluded else []
        for name, block in self.study.analyses.items():
            if flags := block.options.get("exclude_flags"):
                rules.append(f"`{name}` leaves out sessions with the flags {_listed(flags)}.")
        return [*(rules or ["No session is left out by what is found in it."]), "No value is treated as an outlier."]

    def missing(self) -> list[str]:
        return [
            "A score that a rater could not give is missing and never a number; a total with a missing item is missing. "
            "Sessions without a value are counted, by arm, and left out of the comparison; bounds are given beside it."
        ]

    def other(self) -> list[str]:
        one = self.registration
        assumed = [f"- `{path}`: {why}" for path, why in self.study.assumptions.items()]
        listed = {**one.frozen.texts, **one.frozen.files}
        files = [f"- `{name}`: SHA-256 {digest}" for name, digest in listed.items()]
        made = [f"- personas `{name}`: SHA-256 {digest}" for name, digest in one.made.personas.items()]
        made += [f"- corpus `{name}`: SHA-256 {digest}" for name, digest in one.made.corpus.items()]
        models = [f"- `{model.name}`: {_model(model.options)}" for model in self.study.models.values()]
        groups = (
            ("Models:", models),
            ("Choices that the source of the study does not report:", assumed),
            ("Files that the study reads:", files),
            ("Made beforehand:", made),
            ("Code:", [f"- {name} {version}" for name, version in one.frozen.code.items()]),
        )
        return [
            f"Every random act begins with the seed {self.study.seed}.",
            *(part for heading, lines in groups if lines for part in (heading, "\n".join(lines))),
            *self.digest(),
        ]


def _in_order(registration: Registration) -> StudyView:
    """The registered blocks as a study, in the order in which they were written."""
    data = {"study": registration.study, **registration.blocks}
    for kind, names in registration.order.items():
        data[kind] = {name: data[kind][name] for name in names if name in data.get(kind, {})}
    return view_of(data)


def _arm(arm: Arm) -> str:
    factors = ", ".join(f"{factor} {level}" for factor, level in arm.factors.items())
    return f"`{arm.name}`: therapist `{arm.therapist}`{f' ({factors})' if factors else ''}"


def _rating_set(one: RatingSet, rubrics: Mapping[str, str]) -> str:
    raters = one.options.get("raters") or []
    repeats = one.options.get("repeats", 1)
    times = f", {repeats} times each" if repeats != 1 else ""
    digest = f" (SHA-256 {rubrics[one.rubric]})" if one.rubric in rubrics else ""
    by = f" by {_listed(raters)}{times}" if raters else ""
    return (
        f"`{one.name}`: every session is rated on the rubric `{one.rubric}`{digest}{by}; the ratings of a session become one "
        f"value by their {one.aggregate}. Raters see neither arm nor model."
    )


def _analysis(block: AnalysisBlock) -> str:
    options = block.options
    outcome = options.get("outcome") or options.get("outcomes") or ""
    compared = options.get("factor") or options.get("factors") or ""
    levels = options.get("levels")
    others = [f"{name} {_value(value)}" for name, value in options.items() if name not in TOLD_APART and _says(value)]
    return (
        f"`{block.name}`: design `{block.using}`; outcome {_value(outcome)}; compares {_value(compared)}"
        f"{f' ({_value(levels)})' if levels else ''}{'; ' if others else ''}{'; '.join(others)}."
    )


def _model(options: Mapping[str, Any]) -> str:
    return "; ".join(f"{name} {_value(value)}" for name, value in options.items() if _says(value))


def _says(value: Any) -> bool:
    return value not in (None, "", [], {})


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_value(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return _listed(value)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"`{value}`"


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(map(_value, values))


def _nothing(_: _Told) -> Sequence[str]:
    """What the study's file does not say."""
    return ()


def _always(words: str) -> Callable[[_Told], Sequence[str]]:
    """What holds for every study."""
    return lambda _: (words,)


OSF: tuple[Answer, ...] = (
    ("Title", _Told.title),
    ("Description", _Told.question),
    ("Hypotheses", _nothing),
    ("Study type", lambda told: ["Computer simulation." if told.study.arms else "Ratings of existing sessions."]),
    (
        "Blinding",
        _always(
            "Raters see the rubric and what was said, never the arm, the model or the persona, in an order from the seed."
        ),
    ),
    ("Study design", _Told.design),
    ("Randomization", lambda told: [f"All draws are derived from the seed {told.study.seed}."]),
    ("Existing data", _Told.existing),
    ("Data collection procedures", _Told.collection),
    ("Sample size", _Told.size),
    ("Sample size rationale", _nothing),
    ("Stopping rule", _always("None: the number of sessions is fixed by the study's file.")),
    ("Manipulated variables", _Told.design),
    ("Measured variables", _Told.measures),
    ("Indices", _always("Totals and subscales are formed as each rubric says.")),
    ("Statistical models", _Told.analyses),
    ("Transformations", _always("None.")),
    ("Inference criteria", _Told.inference),
    ("Data exclusion", _Told.exclusion),
    ("Missing data", _Told.missing),
    ("Exploratory analysis", _always("Whatever is not listed under statistical models is exploratory.")),
    ("Other", _Told.other),
)
AS_PREDICTED: tuple[Answer, ...] = (
    ("1) Have any data been collected for this study already?", _Told.existing),
    ("2) What's the main question being asked or hypothesis being tested in this study?", _Told.question),
    ("3) Describe the key dependent variable(s) specifying how they will be measured.", _Told.measures),
    ("4) How many and which conditions will participants be assigned to?", _Told.design),
    (
        "5) Specify exactly which analyses you will conduct to examine the main question/hypothesis.",
        lambda told: [*told.analyses(), *told.inference()],
    ),
    (
        "6) Describe exactly how outliers will be defined and handled, and your precise rule(s) for excluding observations.",
        lambda told: [*told.exclusion(), *told.missing()],
    ),
    (
        "7) How many observations will be collected or what will determine sample size? No need to justify decision, but be "
        "precise about exactly how the number will be determined.",
        _Told.size,
    ),
    (
        "8) Anything else you would like to pre-register? (e.g., secondary analyses, variables collected for exploratory "
        "purposes, unusual analyses planned?)",
        _Told.other,
    ),
    ("9) Give a title for this AsPredicted pre-registration.", _Told.title),
)
