"""What the command line decides about a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from cbtrun.keys.secrets import KeyRing


@dataclass(frozen=True)
class RunOptions:
    """What the command line decides, and the study does not."""

    offline: bool = False
    """Answer from the journal alone."""
    consent_remote: bool = False
    """Real people's words may go to a remote model."""
    concurrency: int = 256
    """Units under way at once."""
    take_over: bool = False
    """Go on in a folder that another spec file made."""
    keys: KeyRing = field(default_factory=KeyRing)
    """Where keys of servers come from, and where each may go."""
