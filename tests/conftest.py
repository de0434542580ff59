"""Fixtures for every test."""

import os
import signal
import tempfile
from collections.abc import Iterator

import pytest

from cbtrun.plugins.local_models.same_everywhere import SETTINGS
from cbtrun.testing.projects import study_project

__all__ = ["study_project"]

# A shell that starts a job in the background has it ignore Ctrl-C, and what it starts inherits that: tests that
# interrupt a run would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The register of registrations and first runs: of the tests' own, for the processes that they start too.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="cbtrun-state-")


@pytest.fixture(autouse=True)
def kernels_as_before() -> Iterator[None]:
    """A test of the embedded model fixes the kernels of its process, where torch may have chosen already: not for the next."""
    before = {name: os.environ.get(name) for name in SETTINGS}
    yield
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
