"""What a study assumed, as the settings that vary it: `--set PATH=VALUE` with the value that it has now."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cbtrun.contract.study_view import StudyView, view_of
from cbtrun.study.overrides import find_path


@dataclass(frozen=True)
class Variable:
    """An assumption that another run can vary."""

    path: str
    why: str
    setting: str
    """`--set sessions.max_turns=40`, quoted for a shell; empty where the study has no such path."""


def variables(study: Mapping[str, Any]) -> list[Variable]:
    """Every assumption of a resolved study, in its order."""
    view = view_of(study)
    return [Variable(path, why, _setting(view, path)) for path, why in view.assumptions.items()]


def variation_command(study: Mapping[str, Any], file: str = "STUDY.yaml") -> str:
    """The command that runs a variation into a study of its own."""
    name = shlex.quote(f"{view_of(study).name}-varied")
    return f"cbtrun {shlex.quote(file)} --set study={name} --set PATH=VALUE"


def _setting(study: StudyView, path: str) -> str:
    try:
        value = _value_at(study, path)
    except KeyError:
        return ""
    return f"--set {shlex.quote(f'{path}={_flow(value)}')}"


def _value_at(study: StudyView, path: str) -> Any:
    value: Any = study.data
    for step in find_path(study.data, path):
        value = value[step]
    return value


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    import yaml

    written = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**9)
    return str(written).removesuffix("...\n").strip()
