"""torchvision without torch's compiler: its import takes two seconds of the processor less.

``torchvision.ops.roi_align`` imports one function of ``torch._dynamo``, and with it the whole compiler, ten times the
rest of torchvision. The function is called only where the operator has no kernel. While that module is imported, a
stand-in is in place that imports the compiler when it is called; afterwards nothing of it is left, so that
``torch.compile`` works as ever. With a torchvision that imports something else, the import is the usual one.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

_IMPORTER = "torchvision.ops.roi_align"
_COMPILER = "torch._dynamo.utils"


def is_compile_supported(device_type: str) -> Any:
    """The function of ``torch._dynamo.utils``, imported when it is called.

    Args:
        device_type: for example ``"cuda"``.

    Returns:
        What it says.
    """
    from torch._dynamo.utils import is_compile_supported as asked

    return asked(device_type)


class _Loader(importlib.abc.Loader):
    """Loads the module that imports the compiler, with the stand-in in place."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if _COMPILER in sys.modules:
            self._loader.exec_module(module)
            return
        stand_in = ModuleType(_COMPILER)
        stand_in.is_compile_supported = is_compile_supported  # type: ignore[attr-defined]
        sys.modules[_COMPILER] = stand_in
        try:
            self._loader.exec_module(module)
        except ImportError:
            del sys.modules[_COMPILER]
            self._loader.exec_module(module)
        finally:
            if sys.modules.get(_COMPILER) is stand_in:
                del sys.modules[_COMPILER]


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _IMPORTER:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


def import_without_compiler() -> None:
    """From now on, import torchvision without torch's compiler."""
    if not any(isinstance(one, _Finder) for one in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
