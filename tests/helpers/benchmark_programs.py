"""Programs of benchmarks/ as modules, so that the fast tests run a small fixed sample of a long simulation."""

import importlib.util
import sys
from types import ModuleType

from tests.helpers.places import ROOT


def benchmark(name: str) -> ModuleType:
    """The program benchmarks/NAME.py, loaded once."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
    return sys.modules[name]
