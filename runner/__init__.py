"""cbtrun: one YAML file is one study of language-model therapists.

From Python: `load_run` gives a run's data frames, `load_study` checks a study, `run` runs it (docs/python.md). Nothing is
imported before it is asked for.
"""

from cbtrun.import_path import leave_current_folder

leave_current_folder()  # before anything else is imported

from importlib import import_module  # noqa: E402 - as above
from types import ModuleType  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

if TYPE_CHECKING:
    from cbtrun.errors import CbtrunError as CbtrunError
    from cbtrun.errors import ModelError as ModelError
    from cbtrun.errors import Place as Place
    from cbtrun.errors import PluginError as PluginError
    from cbtrun.errors import Problem as Problem
    from cbtrun.errors import SpecError as SpecError
    from cbtrun.errors import StageError as StageError
    from cbtrun.errors import StatisticsError as StatisticsError
    from cbtrun.errors import StopRun as StopRun
    from cbtrun.frames.loaded_run import Run as Run
    from cbtrun.frames.open_run import load_run as load_run
    from cbtrun.frames.run_records import IncompleteRun as IncompleteRun
    from cbtrun.frames.studies import CheckedStudy as CheckedStudy
    from cbtrun.frames.studies import load_study as load_study
    from cbtrun.frames.studies import run as run
    from cbtrun.version import __version__ as __version__

_HOMES = {
    "load_run": "cbtrun.frames.open_run",
    "load_study": "cbtrun.frames.studies",
    "Run": "cbtrun.frames.loaded_run",
    "CheckedStudy": "cbtrun.frames.studies",
    "IncompleteRun": "cbtrun.frames.run_records",
    **dict.fromkeys(
        ("CbtrunError", "ModelError", "PluginError", "SpecError", "StageError", "StatisticsError", "StopRun"),
        "cbtrun.errors",
    ),
    "Place": "cbtrun.errors",
    "Problem": "cbtrun.errors",
    "__version__": "cbtrun.version",
}
"""Public name -> the module that it is taken from when it is first asked for. `run` is not among them: see below."""

__all__ = [
    "CbtrunError",
    "CheckedStudy",
    "IncompleteRun",
    "ModelError",
    "Place",
    "PluginError",
    "Problem",
    "Run",
    "SpecError",
    "StageError",
    "StatisticsError",
    "StopRun",
    "__version__",
    "load_run",
    "load_study",
    "run",
]


class _CalledRoom(ModuleType):
    """The room cbtrun.run, whose name is also that of the public function: it can be called like it."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Run a study: see `cbtrun.frames.studies.run`."""
        return import_module("cbtrun.frames.studies").run(*arguments, **options)

    @property
    def __signature__(self) -> Any:
        """The function's, for help and completion."""
        from inspect import signature

        return signature(import_module("cbtrun.frames.studies").run)


import_module("cbtrun.run").__class__ = _CalledRoom

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """A public name, from its module."""
        if name not in _HOMES:
            raise AttributeError(f"module 'cbtrun' has no attribute '{name}'")
        return globals().setdefault(name, getattr(import_module(_HOMES[name]), name))


def __dir__() -> list[str]:
    return sorted(__all__)
