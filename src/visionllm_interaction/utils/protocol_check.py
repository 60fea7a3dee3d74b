"""Whether an object offers what a Protocol asks for: attributes of their types, methods that take the same arguments.

``isinstance`` with a runtime-checkable Protocol compares names only, and says nothing about what is missing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import FunctionType, NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_ABSENT = object()


def protocol_problems(offered: object, protocol: type[Any]) -> list[str]:
    """Compare an object with a Protocol.

    Args:
        offered: an instance or a module.
        protocol: a Protocol whose attributes are written as properties.

    Returns:
        What the object lacks, one sentence each; empty if it fulfils the Protocol.
    """
    if isinstance(offered, type):
        return [f"it is the class {offered.__name__}, where an instance of it is expected"]
    return [problem for name, member in _members(protocol) if (problem := _problem(offered, name, member))]


def _members(protocol: type[Any]) -> Iterator[tuple[str, property | FunctionType]]:
    for base in reversed(protocol.__mro__):
        if getattr(base, "_is_protocol", False):
            for name, member in vars(base).items():
                if not name.startswith("_") and isinstance(member, property | FunctionType):
                    yield name, member


def _problem(offered: object, name: str, member: property | FunctionType) -> str | None:
    try:
        value = getattr(offered, name, _ABSENT)
    except Exception as error:  # noqa: BLE001  (a property of somebody else's)
        return f"{name} raises {type(error).__name__}: {error}"
    if value is _ABSENT:
        return f"{name} is missing"
    if isinstance(member, FunctionType):
        return _call_problem(name, value, member)
    expected = get_type_hints(member.fget)["return"]
    return None if _fits(value, expected) else f"{name} must be {_type_name(expected)}, found {value!r}"


def _call_problem(name: str, method: Any, declared: Callable[..., Any]) -> str | None:
    if not callable(method):
        return f"{name} is not a method"
    parameters = list(inspect.signature(declared).parameters.values())[1:]
    by_position = [None for parameter in parameters if parameter.kind is not parameter.KEYWORD_ONLY]
    by_keyword = {p.name: None for p in parameters if p.kind is p.KEYWORD_ONLY}
    try:
        inspect.signature(method).bind(*by_position, **by_keyword)
    except TypeError as error:
        wanted = ", ".join(str(parameter).partition(":")[0] for parameter in parameters)
        return f"{name} must take ({wanted}): {error}"
    except ValueError:  # a function of an extension module that does not tell
        return None
    return None


def _fits(value: object, expected: Any) -> bool:
    origin, arguments = get_origin(expected), get_args(expected)
    if origin is Literal:
        return value in arguments
    if origin in (Union, UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(item, arguments[0]) for item in value)
    if expected in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if expected is float else origin or expected)


def _type_name(expected: Any) -> str:
    origin, arguments = get_origin(expected), get_args(expected)
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if origin in (Union, UnionType):
        return " or ".join(_type_name(argument) for argument in arguments)
    if expected is NoneType:
        return "None"
    return expected.__name__ if isinstance(expected, type) and origin is None else str(expected)
