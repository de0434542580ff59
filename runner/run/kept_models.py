"""Which model each name of a study stood for: noted with the first reply, and found again where nothing is opened.

A key names a model by what it was: its weights by their digest or commit, its adapter by digest, the device, the code. None of
it can be told without the weights. So the journal keeps it beside what the study said of the model then, and an offline run
looks it up by what the study says now. Where the weights lay is no part of that: one machine reads a folder and another
would ask the hub.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cbtrun.calls.absent_model import AbsentModel
from cbtrun.contract import marks
from cbtrun.contract.digests import canonical, digest
from cbtrun.errors import ModelError
from cbtrun.journal.journal import Journal
from cbtrun.journal.recorded import KeptModel
from cbtrun.run.same_study import says_the_same
from cbtrun.study.weights import WHERE, is_folder_name
from cbtrun.version import __version__

if TYPE_CHECKING:
    from cbtrun.contract.models import EngineShare, Model
    from cbtrun.registry import Registry
    from cbtrun.run.models import StudyModels
    from cbtrun.study.spec import Study

DECIDES_NOTHING = ("api_key_env", "limits", "prices", "timeout_seconds")


def portable_block(study: Study, registry: Registry, name: str) -> dict[str, Any]:
    """A model's block with its defaults, without where its weights lie and what decides no reply."""
    return _portable(study.block("models", name), loads_weights(study, registry, name))


def written_block(study: Study, registry: Registry, name: str) -> dict[str, Any]:
    """The same of what was written, without defaults."""
    written = study.document.value.get("models", {}).get(name, {})
    return _portable(written, loads_weights(study, registry, name))


def _portable(block: Mapping[str, Any], no_place: bool) -> dict[str, Any]:
    left_out = (*DECIDES_NOTHING, *(WHERE if no_place else ()))
    return {key: value for key, value in block.items() if key not in left_out}


def loads_weights(study: Study, registry: Registry, name: str) -> bool:
    """Whether a model reads weights that do not ship with cbtrun, wherever they lie."""
    block = study.models[name]
    return marks.loads_weights(registry.schema("models", block.using)) and not block.ships


@dataclass
class KeptModels:
    """What answered under the names of one study, in its journal."""

    study: Study
    registry: Registry
    journal: Journal
    adapter_of: Callable[[str], str | None]
    """Name -> digest of its adapter; none for a model that was not tuned here."""
    _noted: set[tuple[str, str]] = field(default_factory=set)

    def note(self, name: str, model: Model, code: str) -> None:
        """Keep what answers under a name. A model behind a server is told by its block, and opened without its server."""
        using = self.study.models[self.study.base_of(name)].using
        if (name, code) in self._noted or marks.is_remote(self.registry.schema("models", using)):
            return
        self._noted.add((name, code))
        identity = json.loads(canonical(model.identity))
        if digest(identity) == digest(model.identity):  # else it is not plain, and could not be found by it
            told = self._told(name, self.adapter_of(name))
            plugin = self.registry.code(using)
            kept = KeptModel(name, told, identity, code, plugin, __version__, time.time())
            known = [one for one in self.journal.models() if (one.name, one.block) == (name, told)]
            if not known or _but_time(known[-1]) != _but_time(kept):
                self.journal.keep_model(kept)

    def find(self, name: str) -> KeptModel | None:
        """What last answered under a name, where the study says of it what it said then; else none."""
        alike = [kept for kept in self.journal.models() if kept.name == name and self.is_alike(kept)]
        return alike[-1] if alike else None

    def is_alike(self, kept: KeptModel) -> bool:
        """Whether the study says of a model, and of its adapter, what it said when it answered."""
        base = self.study.base_of(kept.name)
        now, written = (block(self.study, self.registry, base) for block in (portable_block, written_block))
        strictly = kept.version == __version__ and self.is_of_now(kept)
        alike = same_block(kept.block.get("options"), written, now, strictly=strictly)
        return alike and kept.block.get("adapter") == self.adapter_of(kept.name)

    def is_of_now(self, kept: KeptModel) -> bool:
        """Whether the plugin that answered was that of now, in every statement."""
        return kept.plugin == self.registry.code(self.study.models[self.study.base_of(kept.name)].using)

    def refuse_another(self, name: str) -> None:
        """Raises ModelError for a model on the hub that the journal keeps with other settings alone: nothing is fetched for it."""
        base = self.study.base_of(name)
        named = str(self.study.block("models", base).get("model", ""))
        if loads_weights(self.study, self.registry, base) and not is_folder_name(named):
            kept = [one for one in self.journal.models() if one.name == name]
            if kept and not self.is_alike(kept[-1]):
                raise ModelError(
                    f"model '{name}': the journal keeps replies of it with other settings or another adapter, and an offline run "
                    "opens no weights: bring back what the study said, or run it without --offline where the weights are"
                )

    def loads(self, name: str) -> bool:
        """Whether a model loads weights, of cbtrun's own too: an adapter of those is elsewhere as well."""
        using = self.study.models[self.study.base_of(name)].using
        return marks.loads_weights(self.registry.schema("models", using))

    def _told(self, name: str, adapter: str | None) -> dict[str, Any]:
        base = self.study.base_of(name)
        found: dict[str, Any] = {"options": portable_block(self.study, self.registry, base), "adapter": adapter}
        if loads_weights(self.study, self.registry, base):
            block = self.study.block("models", base)
            found["folder"] = is_folder_name(str(block.get("model", "")))
            named = self.study.named_weights.get(base, block)
            if not is_folder_name(str(named.get("model", ""))):  # a path is a fact of the machine
                found["named"] = {key: named[key] for key in WHERE if named.get(key) is not None}
        return found


def same_block(kept: Any, written: Mapping[str, Any], now: Mapping[str, Any], *, strictly: bool) -> bool:
    """Whether a block says what it said. strictly: it was kept by this code, so that no default can have changed."""
    return bool(kept == now) if strictly else says_the_same(kept, written, now)


def _but_time(kept: KeptModel) -> tuple[object, ...]:
    return kept.row()[:-1]


@dataclass
class UnopenedModels:
    """The models of one stage that runs offline: weights are never opened where the journal says what they were."""

    models: StudyModels
    kept: KeptModels
    again: bool
    """The stage was finished by other code: it is read anew only where today's code would have asked the same."""
    note: Callable[[KeptModel], None]
    """Told of each that was answered for by what the journal keeps, and not by what is here."""

    def open(self, name: str) -> Model:
        """The model, or what stands for it."""
        kept = self.found(name)
        if kept is None:
            self.kept.refuse_another(name)
        if kept is None or not self.kept.loads(name):
            return self.models.open(name)
        self.note(kept)
        return AbsentModel(name, kept.identity, kept.code)

    def engine_of(self, name: str) -> EngineShare | None:
        """The engine of a model that is opened."""
        return None if self.found(name) is not None else self.models.engine_of(name)

    def key_of(self, name: str, model: Model) -> tuple[str, str]:
        """Digest of the identity, and the code, that the keys of a model's calls hold."""
        own = digest(model.identity), self.models.code_of(name, model)
        kept = self.found(name)
        if kept is None:
            return own
        if (digest(kept.identity), kept.code) != own:
            self.note(kept)
        return digest(kept.identity), kept.code

    def found(self, name: str) -> KeptModel | None:
        """What the journal keeps of a model, as far as this stage may go by it."""
        kept = self.kept.find(name)
        return None if kept is None or (self.again and not self.kept.is_of_now(kept)) else kept
