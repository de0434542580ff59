"""What a reinforcement training leaves behind, step by step: each session that it held, what it earned, and who else watched.

One line of `steps.jsonl` in the adapter's folder is one TrainingStep. The training writes them; what they say of reward and
witness is worked out from them alone.
"""

from __future__ import annotations

from pydantic import Field

from cbtrun.contract.records import Record

HARMFUL, LONGER = "harmful", "longer"
CONTROL_KINDS = (HARMFUL, "keyword-stuffed", LONGER, "flattering")
"""What is done to sessions that a reward is tried on."""


class Rollout(Record):
    """One session that the policy held in a step."""

    session: str
    """Its id, unique within the training."""
    persona: str
    group: str
    """Which persona and patient's seed it shares with the rest of its group: what it earned is held against theirs."""
    draw: int
    """From 1, within its group."""
    reward: float | None
    """What it earned; none where the reward's rating has no score. What is vetoed earned 0."""
    veto: str = ""
    """Why it earned nothing: the item and its score, or that the item should have a score and has none."""
    rewarded: float | None
    """The reward's rating before any veto, in its own points."""
    witness: dict[str, float | None] = Field(default_factory=dict)
    """`rating set.outcome` -> score, in its own points; none where it could not be scored."""
    turns: int
    """Of both sides."""
    tokens: int
    """That the therapist spoke: those that carry loss."""
    entropy: float | None = None
    """Mean over the therapist's tokens of the policy's entropy, nats."""
    repetition: float | None = None
    """Share of the therapist's four-word runs that it had said before in the session, 0 to 1."""


class ControlReward(Record):
    """What the reward gives a session of the step that one thing was done to."""

    kind: str
    """`harmful`, `keyword-stuffed`, `longer`, `flattering`."""
    session: str
    """The session that it was made from."""
    plain: float | None
    """The reward of that session as it was held."""
    reward: float | None
    """The reward of the control."""


class TrainingStep(Record):
    """A step: the sessions of one policy, what they earned, and the update that followed."""

    step: int
    """From 1."""
    policy: str
    """Digest of the adapter that held the sessions."""
    rollouts: tuple[Rollout, ...]
    controls: tuple[ControlReward, ...] = ()
    """Empty in steps that rate none."""
    kl: float | None = None
    """Mean over tokens of the divergence from the policy that the training began with, nats."""
    loss: float | None = None
    grad_norm: float | None = None
    learning_rate: float | None = None
    stopped: str = ""
    """Why the training ended with this step, where a declared stop ended it."""
