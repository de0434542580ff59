"""Where Python may import from: never the folder one stands in, nor a study's own.

A stranger's folder may hold a file named like a library. Python looks there first when it is started with `-m`, and wherever
PYTHONPATH has an empty or a relative entry. This file imports what Python itself has imported by then, and nothing else:
not even `__future__`, whose name such a file may have, too.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SEARCHED = ("PYTHONPATH", "PATH")
"""Variables that list folders to look for code in; an empty entry of either is the folder one stands in."""
ALWAYS = {"PYTHONSAFEPATH": "1", "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1"}
"""Children import nothing from where they stand, and torch reads its own files as numbers, never as pickled objects."""
NEVER = ("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD",)


def child_environment(environment: "Mapping[str, str]") -> dict[str, str]:
    """An environment for a process of ours: as it is, but that code is looked for under absolute folders alone."""
    kept = {name: value for name, value in environment.items() if name not in NEVER}
    for name in SEARCHED:
        entries = [entry for entry in kept.pop(name, "").split(os.pathsep) if _is_absolute(entry)]
        if entries:
            kept[name] = os.pathsep.join(entries)
    return {**kept, **ALWAYS}


def python_module(module: str, *arguments: str) -> list[str]:
    """The command that runs a module in a Python that does not look into the current folder."""
    return [sys.executable, "-P", "-m", module, *arguments]


def leave_current_folder() -> None:
    """Make this process, and all that it starts, import nothing from the current folder.

    Only where the process is cbtrun itself: a notebook or a test that imports it keeps its own way of finding modules.
    """
    if not is_cbtrun(sys.orig_argv):
        return
    wanted = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    safe = child_environment(os.environ)
    for name in {*NEVER, *SEARCHED} - set(safe):
        os.environ.pop(name, None)
    os.environ.update(safe)
    sys.path[:] = without_current_folder(sys.path, wanted)


def is_cbtrun(arguments: "Sequence[str]") -> bool:
    """Whether a command line starts cbtrun: the installed command, or `python -m cbtrun...`."""
    if "-m" in arguments:
        place = arguments.index("-m") + 1
        return any(module.split(".")[0] == "cbtrun" for module in arguments[place : place + 1])
    return any(one.rpartition(os.sep)[2] in ("cbtrun", "cbtrun.exe") for one in arguments[1:3])


def without_current_folder(path: "Sequence[str]", wanted: "Sequence[str]") -> list[str]:
    """A module search path without the current folder, unless PYTHONPATH names it in full.

    wanted: entries of PYTHONPATH as they were written. Folders that installed packages added come after the standard
    library and stay, whatever they are: somebody chose to install them.
    """
    try:
        here = os.getcwd()  # noqa: PTH109 - pathlib may not be imported yet
    except OSError:  # it is no longer there
        return [one for one in path if _is_absolute(one)]
    library = os.path.dirname(os.__file__)  # noqa: PTH120 - as above
    first = path.index(library) if library in path else len(path)
    before = [one for one in path[:first] if _is_absolute(one) and (one != here or one in wanted)]
    return [*before, *path[first:]]


def _is_absolute(entry: str) -> bool:
    return os.path.isabs(entry)  # noqa: PTH117 - as above
