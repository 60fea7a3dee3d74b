"""Names of a module that are imported when they are first used.

This file imports nothing itself: the package's own ``__init__`` uses it, and importing that costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing.TYPE_CHECKING, without the time that importing typing takes
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def lazy_attributes(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the ``__getattr__`` of a module (PEP 562) that imports names when they are first used.

    Example:
        >>> __getattr__ = lazy_attributes("visionllm_interaction.core", {"Detections": "detections"})
        >>> __getattr__("Detections").__module__
        'visionllm_interaction.core.detections'

    Args:
        package: the package that the modules are in.
        modules: name → the module that has it, relative to ``package``; ``module:attribute`` where it has another name
            there.

    Returns:
        A function from a name to its value. It raises ``AttributeError`` for any other name.
    """

    def get_attribute(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        import sys
        from importlib import import_module

        module, _, attribute = modules[name].partition(":")
        value = getattr(import_module(f"{package}.{module}"), attribute or name)
        namespace = vars(sys.modules[package])
        if name not in namespace:
            return value
        # Importing a submodule of that name has put it here: the value takes its place, unless it can be called itself.
        if not callable(namespace[name]):
            namespace[name] = value
        return namespace[name]

    return get_attribute
