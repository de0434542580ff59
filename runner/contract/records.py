"""The records that pass from stage to stage, one JSON line each in the run folder.

Every record is frozen and refuses unknown keys. The JSON Schemas of the records that others may write
(persona, session, rating, results) are generated from here into schemas/ by `cbtrun schema --write`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

Speaker = Literal["therapist", "patient"]
Points = Annotated[float, Field(ge=-1_000_000, le=1_000_000)]
"""Of an item, or what was measured before a session: finite, and of a size that any scale has."""


class Record(BaseModel):
    """A frozen value that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def without_empty(dumped: dict[str, Any], name: str) -> dict[str, Any]:
    """A dumped record without a field that came later and has nothing: older studies keep their bytes."""
    if not dumped.get(name):
        dumped.pop(name, None)
    return dumped


class Situation(Record):
    """One concrete episode of a persona's life, in the shape of a thought record."""

    event: str
    """What happened, in the persona's own words."""
    thought: str
    """The automatic thought that went with it."""
    feeling: str
    """The feeling it brought, one or two words."""
    behaviour: str
    """What the persona then did."""


class Persona(Record):
    """A simulated patient: a text that tells of them, or who they are, what troubles them, and how they talk.

    `id` and `text` are enough for a patient that is a language model; FullPersona has what needs every field. What is not
    known is not written: neither a prompt nor a digest has a field that nobody gave.
    """

    id: str
    """Unique within its persona set."""
    name: str = ""
    """First name."""
    age: Annotated[int, Field(ge=12, le=110)] | None = None
    """Years."""
    gender: str = ""
    """Free text, as the persona would put it."""
    occupation: str = ""
    """What they do, or used to do."""
    living_situation: str = ""
    """With whom and how they live."""
    presenting_problem: str = ""
    """Why they come, in one sentence of their own."""
    phq9: Annotated[int, Field(ge=0, le=27)] | None = None
    """PHQ-9 total at intake, 0 to 27 points."""
    symptoms: tuple[str, ...] = ()
    """Current symptoms, each a short phrase in the first person ("I wake at four")."""
    situations: tuple[Situation, ...] = ()
    """Recent episodes they can tell about."""
    automatic_thoughts: tuple[str, ...] = ()
    """Thoughts that come by themselves, first person."""
    intermediate_beliefs: tuple[str, ...] = ()
    """Rules and assumptions ("If I ask for help, people will leave")."""
    core_beliefs: tuple[str, ...] = ()
    """Beliefs about self, others and future ("I am a failure")."""
    distortions: tuple[str, ...] = ()
    """Names of the cognitive distortions in their thinking."""
    history: str = ""
    """What lies behind it, two or three sentences."""
    strengths: tuple[str, ...] = ()
    """What they have going for them."""
    goals: tuple[str, ...] = ()
    """What they want from therapy."""
    engagement_style: Literal["open", "guarded", "overtalkative", "compliant", "sceptical", "withdrawn"] | None = None
    """How they take part in sessions."""
    disclosure_style: Literal["immediate", "gradual", "reluctant"] | None = None
    """How fast the difficult things come out."""
    risk: Literal["none", "passive-ideation", "active-ideation"] | None = None
    """Level of suicide risk that the persona carries."""
    speech: str = ""
    """How they talk: pace, length, habits."""
    text: str = ""
    """A description in free words (a vignette, an intake form), shown to the model that plays them."""
    labels: dict[str, str] = {}
    """What else is known, name -> level (`diagnosis: OCD`): analyses and the report go by it, whoever plays them is not
    told."""

    def __hash__(self) -> int:
        """Of who they are; `labels`, which has no hash, is left to the comparison."""
        return hash((self.id, self.name, self.text, self.presenting_problem))

    @model_serializer(mode="wrap")
    def _what_is_known(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        known = self.model_fields_set
        kept: dict[str, Any] = dump(self)
        return {name: value for name, value in kept.items() if name in known or value not in (None, "", [], (), {})}


class FullPersona(Persona):
    """A persona with every structured field: what is sampled, written by a model, or played by the scripted patient."""

    name: str
    age: Annotated[int, Field(ge=12, le=110)]
    gender: str
    occupation: str
    living_situation: str
    presenting_problem: str
    phq9: Annotated[int, Field(ge=0, le=27)]
    symptoms: tuple[str, ...]
    situations: tuple[Situation, ...]
    automatic_thoughts: tuple[str, ...]
    intermediate_beliefs: tuple[str, ...]
    core_beliefs: tuple[str, ...]
    distortions: tuple[str, ...]
    history: str
    strengths: tuple[str, ...]
    goals: tuple[str, ...]
    engagement_style: Literal["open", "guarded", "overtalkative", "compliant", "sceptical", "withdrawn"]
    disclosure_style: Literal["immediate", "gradual", "reluctant"]
    risk: Literal["none", "passive-ideation", "active-ideation"] = "none"
    speech: str


class Message(Record):
    """One message of a transcript, by the part that its speaker plays in the study."""

    role: Literal["system", "therapist", "patient"]
    """Who speaks; `system` is the instruction that a therapist model is tuned under."""
    content: str
    """What is said."""


class Transcript(Record):
    """One training session of a corpus."""

    id: str
    """Unique within its corpus."""
    persona: str
    """Id of the persona it was written for."""
    session_number: Annotated[int, Field(ge=1, le=100_000)] = 1
    """Position in the course, from 1."""
    phase: str = ""
    """Phase of the course that the session belongs to."""
    messages: tuple[Message, ...]
    """The dialogue, first to last."""
    rejected: str | None = None
    """Another last turn of the therapist, liked less than the one in `messages`; for preference tuning."""


class Adapter(Record):
    """A trained LoRA adapter on disk."""

    name: str
    """Name of the tune job, with its seed when there are several."""
    base: str
    """Name of the base model in the study's `models`."""
    folder: str
    """Folder of the adapter, relative to the run folder."""
    digest: str
    """SHA-256 over the adapter's weights and settings."""
    seed: int
    """Seed that the training was run with."""


class Turn(Record):
    """One turn of a session."""

    speaker: Speaker
    """Who speaks."""
    text: str
    """What is said."""


class Session(Record):
    """One therapy session: simulated, or imported from a real transcript."""

    id: str
    """Unique within the study."""
    arm: str | None = None
    """The arm it belongs to; none for an imported session."""
    persona: str | None = None
    """Id of the patient's persona; none for an imported session without one."""
    repeat: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Which repeat of the same arm and persona, from 1."""
    number: Annotated[int, Field(ge=1, le=100_000)] = 1
    """Position in the persona's course, from 1."""
    draw: str
    """Digest of what makes this session a draw of its own, without the arm's name."""
    factors: dict[str, str] = {}
    """Level of each factor, for the analysis; never shown to a rater."""
    labels: dict[str, str] = {}
    """Further columns of an imported session."""
    turns: tuple[Turn, ...]
    """The dialogue, first to last."""
    ended: str
    """Why it ended: `max_turns`, `farewell`, `end_marker`, `imported` ..."""
    measures: dict[str, Points] = {}
    """What was measured before it: `phq9` (0 to 27 points), `phq9_item9` (0 to 3)."""
    flags: tuple[str, ...] = ()
    """Fidelity flags, each `name` or `name: detail`."""


class Quote(Record):
    """Evidence for a score: words that occur verbatim in a turn."""

    turn: Annotated[int, Field(ge=1, le=100_000)]
    """Number of the turn, from 1."""
    text: str
    """The quoted words."""


class ItemScore(Record):
    """What one rater said about one item, or why there is no score."""

    item: str
    """Id of the rubric's item."""
    score: Points | None
    """Points on the item's scale; none when unscored."""
    reason: str | None = None
    """Why it is unscored; none when scored."""
    rationale: str = ""
    """The rater's reasoning, written before the score."""
    evidence: tuple[Quote, ...] = ()
    """Quotes that the program found in the transcript."""
    absent: bool = False
    """True when the rater scored the lowest anchor because the behaviour does not occur at all."""
    label: str | None = None
    """The chosen category, or the words of an item of type text; none for other items."""
    notes: tuple[str, ...] = ()
    """What the program saw or mended, e.g. a quote whose turn number was corrected."""


class Rating(Record):
    """One rater's scores of one session on one rubric, one repeat."""

    session: str
    """Id of the rated session."""
    set: str
    """Name of the rating set in the study."""
    rubric: str
    """Name of the rubric."""
    rubric_version: str
    """Version of the rubric, as its file states it."""
    rubric_digest: str
    """SHA-256 of the rubric's content."""
    rater: str
    """Name of the rater model in the study, or a human rater's id."""
    repeat: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Which repeat by the same rater, from 1."""
    wording: str = ""
    """Which of the set's `wordings` the rater was asked with; not written in a set that has none."""
    scores: tuple[ItemScore, ...]
    """One per item, in the rubric's order."""
    flags: tuple[str, ...] = ()
    """What a reader must know, each `name` or `name: detail`: text that unblinds, windows of a long session ..."""

    @model_serializer(mode="wrap")
    def _without_no_wording(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_empty(dump(self), "wording")


class Interval(Record):
    """A confidence interval, in the unit of what it is about."""

    low: float
    high: float
    level: float = 0.95
    method: str
    """How it was computed."""


class Bounds(Record):
    """How far an estimate could move, were every missing value at the worst end of its scale."""

    low: float
    high: float
    values: int
    """Units whose value, or a part of it, was filled in."""


class Effect(Record):
    """A standardised effect size."""

    name: str
    """`hedges_g`, `dz`, `auc` ...; `..._reliable` is corrected for the raters' unreliability."""
    value: float
    interval: Interval | None = None


class Test(Record):
    """A significance test."""

    name: str
    statistic: float
    df: float | None = None
    """Degrees of freedom; of an F test those of the effect."""
    p: float
    p_adjusted: float | None = None
    """After correction over the analysis's family of comparisons; none where nothing was corrected."""
    df_error: float | None = None
    """Degrees of freedom of the error, for F and studentised-range tests."""
    method: str = ""
    """How p was computed, where there is a choice: `exact`, `normal approximation ...`."""


class Group(Record):
    """One level's sessions on one outcome."""

    level: str
    n: int
    """Sessions used: those with a value (and, in pairs, with a partner)."""
    missing: int
    """Sessions not used."""
    reasons: dict[str, int] = {}
    """Why sessions are not used: reason -> sessions."""
    mean: float | None
    """Of the units of analysis, as are SD and median: of personas, where sessions of one persona were averaged."""
    sd: float | None
    median: float | None
    units: int | None = None
    """Units of analysis with a value; none means that every session is one."""
    unscored: int = 0
    """Of the sessions not used those that have no value; excluded ones have one."""


class Measured(Record):
    """A difference, or a bias, in points, with its interval."""

    value: float
    interval: Interval | None = None
    """None where it has no spread."""


class Correction(Record):
    """One comparison three times: by the judge alone, by people alone, and corrected; or why it is not corrected."""

    by: str
    """`people.NAME`."""
    withheld: str = ""
    """Why nothing is corrected; empty where it is. Then the comparison's own estimate is the judge's."""
    method: str = ""
    """`prediction-powered` or `rogan-gladen`."""
    judge: Measured | None = None
    people: Measured | None = None
    corrected: Measured | None = None
    bias: Measured | None = None
    """Judge minus people in the difference: above 0 the judge favours the first level."""
    bias_by_level: tuple[Measured, ...] = ()
    """Judge minus people at each level, in the order of `levels`."""
    slope: float | None = None
    """Points of people's that go with one of the judge's; of an answer by yes or no none."""
    personas: int = 0
    """Labelled personas (sessions, where they have none): the clusters."""
    personas_in_all: int = 0
    sessions: int = 0
    """Sessions that people rated."""
    raters: int = 0
    agreement: float | None = None
    """ICC(2,1) of the people on this outcome; none with one person, or where it is not defined."""
    outside: int = 0
    """Sessions whose judge score lies outside the range of the labelled ones of their level."""
    design: str = ""
    """How the sessions were drawn: `pairs`, `sessions`, `all`."""
    notes: tuple[str, ...] = ()


class Comparison(Record):
    """The answer to one declared question about one outcome."""

    analysis: str
    """Name of the analysis in the study."""
    design: str
    """`independent`, `paired` ..."""
    outcome: str
    """`ctrs.total`, `ctrs.agenda` ..."""
    factor: str
    levels: tuple[str, ...]
    """First minus second is what `estimate` estimates."""
    groups: tuple[Group, ...]
    n: int
    """Units of analysis used: sessions, personas, or pairs."""
    unit_of_analysis: str
    """`session` or `pair of one persona` ..."""
    estimate: float | None
    """First level minus second, in rubric points; none when it cannot be computed."""
    interval: Interval | None = None
    effects: tuple[Effect, ...] = ()
    tests: tuple[Test, ...] = ()
    checks: tuple[str, ...] = ()
    """Assumptions that were checked, and what they change, in words."""
    notes: tuple[str, ...] = ()
    """What a reader must know, e.g. why something could not be computed."""
    sentence: str
    """The result in words."""
    where: dict[str, tuple[str, ...]] = {}
    """Subgroup: factor or label -> the levels that were kept; empty means all sessions."""
    subgroup: bool = False
    """True for one level of the analysis's `by`."""
    personas: int | None = None
    """Distinct personas behind the units; none where sessions have no persona."""
    bootstrap: Interval | None = None
    """Of the estimate, by studentised bootstrap of the units of analysis (which are the clusters), seeded; none below 8."""
    worst_case: Bounds | None = None
    """Estimate's bounds over everything that is missing; none where nothing is, or a scale has no end."""
    variance: dict[str, float] = {}
    """Variance components in squared points: `persona`, `rater`, `residual` ...; and `reliability`, without unit."""
    correction: str = ""
    """How p was adjusted (`holm`, `bh`), empty where it was not."""
    family: int | None = None
    """Comparisons in the family that p was adjusted over."""
    interval_adjusted: Interval | None = None
    """Of the estimate, together with those of its family: what goes with the first test's adjusted p; none where it has
    no such interval."""
    held_back: str = ""
    """Why it counts as not shown whatever its own p is: what had to be shown before it was not."""
    possible: int | None = None
    """Units of analysis that there would be if every session had a value; none where nothing tells."""
    scope: tuple[str, ...] | None = None
    """What the claim holds for, as the study's design tells: `for this one tuning` ... None: the runner says it; a plugin
    whose claim has no such limits gives an empty one."""
    moderated: tuple[str, ...] = ()
    """Of a test of interaction: the levels whose difference is compared across `levels`."""
    covers: tuple[str, ...] = ()
    """Of a mixed model: what its interval reaches beyond, of `persona`, `rater`, `seed` (tunings) and `patient`."""
    margin: float | None = None
    """Of an equivalence test: the largest difference that counts as none, in points."""
    corrected: Correction | None = Field(default=None, exclude_if=lambda told: told is None)
    """Of an analysis that says `corrected_by`; not written where there is none, so that other results stay the bytes they were."""


class Failure(Record):
    """One unit of a stage that could not be finished."""

    stage: str
    unit: str
    reason: str


Json = dict[str, Any]
