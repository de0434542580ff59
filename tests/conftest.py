"""Fixtures for every test."""

import os
import signal
import tempfile

from cbtrun.testing.projects import study_project

__all__ = ["study_project"]

# A shell that starts a job in the background has it ignore Ctrl-C, and what it starts inherits that: tests that
# interrupt a run would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The register of registrations and first runs: of the tests' own, for the processes that they start too.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="cbtrun-state-")
