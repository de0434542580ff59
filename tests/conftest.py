"""Fixtures for every test."""

import signal

from cbtrun.testing.projects import study_project

__all__ = ["study_project"]

# A shell that starts a job in the background has it ignore Ctrl-C, and what it starts inherits that: tests that
# interrupt a run would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)
