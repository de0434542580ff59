"""For tests of studies and plugins: the command line in process, in a folder of the test's own, and a check of models."""

from cbtrun.testing.model_check import ModelCase, NotConforming, check_model
from cbtrun.testing.projects import CommandOutcome, StudyProject, study_project

__all__ = ["CommandOutcome", "ModelCase", "NotConforming", "StudyProject", "check_model", "study_project"]
