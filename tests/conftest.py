"""Fixtures for every test."""

from cbtrun.testing import study_project

__all__ = ["study_project"]
