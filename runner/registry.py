"""Which plugins there are, and how the runner calls just the one that a block names."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from cbtrun import hookspecs
from cbtrun.contract.stage_kinds import PLUGGED
from cbtrun.errors import CbtrunError, PluginError, Problem, blame

if TYPE_CHECKING:
    from cbtrun.contexts import BlockContext
    from cbtrun.contract.check import Check, ServerContext, ServerQuestion
    from cbtrun.contract.exported import ExportContext
    from cbtrun.contract.models import EngineShare, ModelContext
    from cbtrun.contract.plans import Plan, PlanContext
    from cbtrun.contract.records import Comparison, Json
    from cbtrun.power.planned import PlannedTest, PowerContext

GROUP = "cbtrun"
OUR_STAGES = "cbtrun.plugins."
"""Where our plugins lie that do a stage and nothing else: none of them watches, wraps or brings rubrics."""
OUR_OTHERS = "cbtrun.plugins.everywhere."
"""Where those of ours lie that no study names: they are there from the start."""
OF_MODELS = ("open_model", "engine_of", "server_question")
"""Hooks whose context is a model's, which names no stage."""
LOCAL = "cbtrun_local_"
"""How the module of a study's own Python file begins."""


class Registry:
    """The plugins, asked by stage and by the name that a study uses.

    Ours are imported when a study first names them, or when somebody asks for the whole list; anyone else's at once,
    since they may watch or wrap.
    """

    def __init__(self, manager: pluggy.PluginManager, waiting: Mapping[str, EntryPoint] | None = None) -> None:
        self._manager = manager
        self._waiting = dict(waiting or {})
        self._digests: dict[str, str] = {}
        _check(manager)

    def names(self, stage: str) -> list[str]:
        """Names of the plugins that do a stage, sorted."""
        self._load(*self._waiting)
        return sorted(self._doing(stage))

    def offers(self, stage: str, using: str) -> bool:
        """Whether a plugin does a stage."""
        self._load(using)
        return using in self._doing(stage)

    def schema(self, stage: str, using: str) -> Json:
        """JSON Schema of a plugin's options in blocks of a stage; a plugin that gives none takes no options."""
        none: Json = {"type": "object", "properties": {}, "additionalProperties": False}
        return self._ask("options_schema", using, stage=stage) or none

    def check(self, using: str, context: BlockContext) -> list[Problem]:
        """What the plugin finds wrong with a block of its own."""
        return self._ask("check_block", using, context=context) or []

    def plan(self, using: str, context: PlanContext) -> Plan | None:
        """What a block of the plugin would take, or none when the plugin does not say."""
        plan: Plan | None = self._ask("plan_block", using, context=context)
        return plan

    def lacking(self, using: str, context: BlockContext) -> list[str]:
        """What a block of the plugin needs and this machine lacks."""
        return self._ask("lacking_here", using, context=context) or []

    def check_before_run(self, using: str, context: BlockContext) -> list[Problem]:
        """What the plugin finds wrong with a block by asking the network."""
        return self._only("check_before_run", using)(context=context) or []

    def power(self, using: str, context: PowerContext) -> list[PlannedTest] | None:
        """What an analysis of the plugin can find, or none when the plugin does not say."""
        planned: list[PlannedTest] | None = self._ask("plan_power", using, context=context)
        return planned

    def checks(self, using: str, context: BlockContext) -> list[Check]:
        """What the plugin has to say of a block to `cbtrun doctor`."""
        return self._ask("doctor_checks", using, context=context) or []

    def question(self, using: str, context: ServerContext) -> ServerQuestion | None:
        """How the server of one of the plugin's models is asked for it; none when the plugin does not say."""
        question: ServerQuestion | None = self._ask("server_question", using, context=context)
        return question

    def engine(self, using: str, context: ModelContext) -> EngineShare | None:
        """The engine that a model of the plugin needs, if any."""
        share: EngineShare | None = self._ask("engine_of", using, context=context)
        return share

    def at_once(self, using: str, context: BlockContext) -> int:
        """How many blocks of the plugin may run side by side here."""
        return self._ask("stages_at_once", using, context=context) or 1

    def rubric_folders(self) -> list[Path]:
        """Every folder of rubrics that plugins offer, in order of registration."""
        folders: list[Path] = self._manager.hook.rubric_folders()
        return folders[::-1]

    def export(self, using: str, context: ExportContext) -> Path | None:
        """The folder that an adapter of the plugin was exported to, or none when the plugin exports none."""
        written: Path | None = self._ask("export_adapter", using, context=context)
        return written

    def ask(self, hook: str, **arguments: object) -> Any:
        """What the first plugin gives that answers a hook which no study names a plugin for; ours come last.

        Raises PluginError where nobody answers.
        """
        answer = getattr(self._manager.hook, hook)(**arguments)
        if answer is None:
            raise PluginError(f"no plugin does {hook}")
        return answer

    def run(self, stage: str, using: str, context: object) -> Any:
        """Call the hook of a stage on the plugin named `using`, and on nobody else but wrappers."""
        hook = PLUGGED[stage].hook
        result = self._ask(hook, using, context=context)
        if result is None:
            raise PluginError(f"plugin '{using}' gave nothing back from {hook}; the hook must return its result")
        return self._worded(using, result) if hook == "analyse" else result

    def _worded(self, using: str, comparisons: Sequence[Comparison]) -> list[Comparison]:
        """Comparisons with a sentence each: what comes without one is put by the plugin's own words, or as usual."""
        from cbtrun.statistics.sentences import sentence_of, usual_sentence

        def words(one: Comparison) -> str:
            return self._ask("sentence", using, comparison=one) or usual_sentence(one)

        return [
            one if one.sentence else one.model_copy(update={"sentence": sentence_of(one, words)}) for one in comparisons
        ]

    def claim(self, using: str, comparison: Comparison) -> str:
        """What a plugin says of one of its comparisons: by its hook, else in the words that it came with, else as usual."""
        from cbtrun.statistics.sentences import interaction_sentence, usual_sentence

        if comparison.moderated:
            return interaction_sentence(comparison)
        return self._ask("sentence", using, comparison=comparison) or comparison.sentence or usual_sentence(comparison)

    def tell(self, observer: str, note: object) -> None:
        """Call an observer hook on every plugin that watches."""
        getattr(self._manager.hook, observer)(note=note)

    def stop(self) -> None:
        """Tell every plugin that the run ends before its time."""
        self._manager.hook.run_stopping()

    def plugin(self, using: str) -> object:
        """The plugin registered under a name."""
        self._load(using)
        return self._manager.get_plugin(using)

    def digest(self, using: str) -> str:
        """SHA-256 over the statements of a plugin: its module, what it reaches by imports, and the data beside them."""
        if using not in self._digests:
            from cbtrun.contract.plugin_digest import module_of, plugin_digest

            self._digests[using] = plugin_digest(module_of(self.plugin(using)), self._files(using))
        return self._digests[using]

    def code(self, using: str) -> str:
        """SHA-256 over the statements of a plugin's own package that it reaches: what a model of ours answers by."""
        from cbtrun.contract.plugin_digest import module_of, plugin_digest

        module = module_of(self.plugin(using))
        ours = module is not None and module.__name__.startswith("cbtrun.plugins.")
        return plugin_digest(module, self._files(using), within="cbtrun.plugins" if ours else "")

    def _files(self, using: str) -> list[Path]:
        return list(self._ask("fingerprint_files", using) or ())

    def is_local(self, using: str) -> bool:
        """Whether a plugin is a file of the study's own, which is installed nowhere."""
        return bool(getattr(self.plugin(using), "__name__", "").startswith(LOCAL))

    def installed_by_others(self) -> list[str]:
        """Names of the plugins that are neither ours nor files of the study, sorted: each may do a stage or wrap one."""
        from cbtrun.contract.plugin_digest import module_of

        there = {name: getattr(module_of(plugin), "__name__", "") for name, plugin in self._manager.list_name_plugin()}
        ours = ("cbtrun.", LOCAL)
        return sorted(name for name, module in there.items() if module and not f"{module}.".startswith(ours))

    def listing(self) -> list[tuple[str, list[str]]]:
        """Every plugin with the stages it does, sorted by name."""
        self._load(*self._waiting)
        return [
            (name, [stage for stage in PLUGGED if name in self._doing(stage)])
            for name, _ in sorted(self._manager.list_name_plugin())
        ]

    def _doing(self, stage: str) -> list[str]:
        return [impl.plugin_name for impl in self._implementations(PLUGGED[stage].hook)]

    def _load(self, *names: str) -> None:
        """Import those plugins that still wait."""
        points = [self._waiting.pop(name) for name in names if name in self._waiting]
        for point in points:
            _register(self._manager, point.name, point.load, point.value)
        if points:
            _check(self._manager)

    def _implementations(self, hook: str) -> list[pluggy.HookImpl]:
        impls = getattr(self._manager.hook, hook).get_hookimpls()
        return [impl for impl in impls if not (impl.wrapper or impl.hookwrapper)]

    def _ask(self, hook: str, using: str, **arguments: object) -> Any:
        """What the plugin's hook gives. What it raises unexpectedly is noted as that plugin's, with the block."""
        try:
            return self._only(hook, using)(**arguments)
        except CbtrunError:
            raise
        except Exception as error:
            context = arguments.get("context")
            usual = arguments.get("stage") or ("models" if hook in OF_MODELS else "")
            parts = (getattr(context, "stage", "") or usual, getattr(context, "name", ""))
            blame(error, using, ".".join(str(part) for part in parts if part))
            raise

    def _only(self, hook: str, using: str) -> pluggy.HookCaller:
        self._load(using)
        # Removing every other plugin would drop wrappers too, so only rivals for the same hook go.
        rivals = [impl.plugin for impl in self._implementations(hook) if impl.plugin_name != using]
        return self._manager.subset_hook_caller(hook, rivals)


def load_registry(local: Sequence[Path] = (), extra: Sequence[tuple[str, object]] = ()) -> Registry:
    """A registry of every installed plugin, the one-file plugins in `local`, and `extra` (name, plugin) pairs.

    Raises PluginError when a plugin cannot be imported, two share a name, or a hook does not fit its specification.
    """
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    waiting: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=GROUP), key=_ours_first):
        if waits(point):
            waiting[point.name] = point
        else:
            _register(manager, point.name, point.load, point.value, waiting)
    for path in local:
        _register(manager, path.stem.replace("_", "-"), lambda path=path: load_file(path), str(path), waiting)
    for name, plugin in extra:
        _register(manager, name, lambda plugin=plugin: plugin, name, waiting)
    return Registry(manager, waiting)


def waits(point: EntryPoint) -> bool:
    """Whether a plugin is imported only when a study names it."""
    return point.value.startswith(OUR_STAGES) and not point.value.startswith(OUR_OTHERS)


def _ours_first(point: EntryPoint) -> tuple[bool, str]:
    return not point.value.startswith(OUR_STAGES), point.name


def load_file(path: Path) -> ModuleType:
    """The module in a Python file, under a name of its own in `sys.modules`: dataclasses look their module up there."""
    spec = importlib.util.spec_from_file_location(f"{LOCAL}{path.stem}", path)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _register(
    manager: pluggy.PluginManager, name: str, load: Any, origin: str, taken: Mapping[str, EntryPoint] | None = None
) -> None:
    """Import a plugin and make it known. taken: plugins of ours whose names are theirs, though they are not loaded yet."""
    if name in (taken or {}) or manager.has_plugin(name):
        raise PluginError(f"plugin '{name}' ({origin}) cannot be loaded: another plugin has this name already")
    try:
        manager.register(load(), name)
    except PluginError:
        raise
    except Exception as error:  # whatever a plugin's import raises, the user must hear whose it is
        raise PluginError(f"plugin '{name}' ({origin}) cannot be loaded: {_raised_at(error, origin)}") from error


def _raised_at(error: Exception, origin: str) -> str:
    """An import's error with the innermost line of the plugin's own; a library that it calls may have raised it."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}"
    frames = [one for one in traceback.extract_tb(error.__traceback__)[1:] if not one.filename.startswith("<frozen")]
    name = origin if origin.endswith(".py") else origin.partition(":")[0].partition(".")[0]
    own = [
        one
        for one in frames
        if name in Path(one.filename).parts or Path(one.filename).name in (name, f"{name}.py", Path(name).name)
    ]
    place = next((f"{one.filename}:{one.lineno}: " for one in reversed(own or frames)), "")
    return f"{place}{type(error).__name__}: {error}"


def _check(manager: pluggy.PluginManager) -> None:
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(f"plugin '{error.plugin}': {error}") from error
