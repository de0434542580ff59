"""Token rows of a corpus, kept for the next job on the same one: a study often tunes several models on one corpus."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from cbtrun.plugin import digest

if TYPE_CHECKING:
    from cbtrun.plugins.tuning.training_rows import TrainingRows

MOST = 4
"""Corpora whose rows are kept at once."""


class KeptRows:
    """Rows by all that decides them."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, TrainingRows] = OrderedDict()
        self._lock = threading.Lock()

    def rows(self, decided_by: object, make: Callable[[], TrainingRows]) -> TrainingRows:
        """The rows, made where nobody has made them. decided_by: plain values, digests of what is large."""
        key = digest(decided_by)
        with self._lock:  # two jobs that begin together make them once
            if key not in self._kept:
                self._kept[key] = make()
                while len(self._kept) > MOST:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]


KEPT = KeptRows()
"""Those of this process."""
