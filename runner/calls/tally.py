"""What the calls of this process came to so far, stage by stage."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from cbtrun.contract.models import Reply


@dataclass
class Tally:
    """What the calls of this process came to so far."""

    made: int = 0
    replayed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    usd: float = 0.0
    retries: Counter[str] = field(default_factory=Counter)
    """Tries that failed and were made again, by the request's label."""
    moved: Counter[str] = field(default_factory=Counter)
    """Calls that lost their engine and were asked again on another, by the request's label."""
    waits: dict[str, str] = field(default_factory=dict)
    """Batch -> how far it is, in words, for each that is waited for."""
    by_server: dict[str, str] = field(default_factory=dict)
    """Model with several servers -> how many calls each answered, in words."""
    served: float = 0.0
    """Seconds that servers took, added up over all tries: their own time, without the wait for a place."""

    def add(self, other: Tally) -> None:
        """Count another tally in."""
        self.made += other.made
        self.replayed += other.replayed
        self.tokens_in += other.tokens_in
        self.tokens_out += other.tokens_out
        self.usd += other.usd
        self.retries += other.retries
        self.moved += other.moved
        self.served += other.served

    def count(self, reply: Reply) -> None:
        """Count a call that was made."""
        self.made += 1
        self.tokens_in += reply.tokens_in
        self.tokens_out += reply.tokens_out
        self.usd += reply.usd or 0.0
