"""Measures: the catalogue, the engine that computes them, and the tidy table.

The package can be called: ``visionllm_interaction.measures(store)`` is
:func:`visionllm_interaction.measures.table.measures`.
A function and a package of the same name cannot both be attributes of their parent.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visionllm_interaction.measures.table import MeasuresTable


class _CallablePackage(ModuleType):
    def __call__(self, *args: Any, **options: Any) -> MeasuresTable:
        """See :func:`visionllm_interaction.measures.table.measures`."""
        from visionllm_interaction.measures.table import measures

        return measures(*args, **options)


sys.modules[__name__].__class__ = _CallablePackage
