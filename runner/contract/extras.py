"""Packages that only some studies need, and the command that installs them."""

from __future__ import annotations

from importlib.util import find_spec

from cbtrun.contract.workplace import machines_elsewhere


def lacking_packages(extra: str, *modules: str) -> list[str]:
    """What to say where modules are not installed, in words; empty where all are. Cheap: none of them is imported.

    extra: the extra of cbtrun that brings them. For `lacking_here` of a plugin.
    """
    missing = [module for module in modules if not _is_installed(module)]
    if not missing:
        return []
    where = "here" if machines_elsewhere() is None else "here, or on a machine of the cluster"
    verb = "is" if len(missing) == 1 else "are"
    return [f"{', '.join(missing)} {verb} not installed {where}; pip install 'cbtrun[{extra}]'"]


def _is_installed(module: str) -> bool:
    machines = machines_elsewhere()
    if machines is not None and module.lower() not in machines.packages:
        return False
    try:
        return find_spec(module) is not None
    except (ModuleNotFoundError, ValueError):  # the package that it stands in is not there
        return False
