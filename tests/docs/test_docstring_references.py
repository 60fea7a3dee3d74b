"""What docstrings refer to is there: a module that was renamed leaves references that lead nowhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in SOURCE.rglob("*.py")
}
REFERENCE = re.compile(r":(?:mod|func|class|meth|data|attr|exc):`~?([\w.]+)`")
OF_LIBRARIES = ("markupsafe.", "pathlib.")


@cache
def names_in(module: str) -> frozenset[str]:
    """What a module defines, assigns or imports, also within classes and functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {name.asname or name.name for name in node.names}
    return frozenset(found)


def leads_somewhere(target: str, module: str) -> bool:
    """Whether a reference in ``module`` names a module, or a name in one.

    ``.a.b`` is a module, or something in one, whose name ends so.
    """
    if not target.startswith((".", *(package for package in MODULES if "." not in package))):
        first, *rest = target.split(".")
        return target.startswith(OF_LIBRARIES) or (first in names_in(module) and set(rest) <= names_anywhere())
    parts = target.strip(".").split(".")
    for n in range(len(parts), 0, -1):
        ending = ".".join(parts[:n])
        found = [one for one in MODULES if one == ending or (target[0] == "." and f".{one}".endswith(f".{ending}"))]
        if any(set(parts[n:]) <= names_in(one) for one in found):
            return True
    return target[0] == "." and len(parts) <= 2 and any(set(parts) <= names_in(one) for one in MODULES)


@cache
def names_anywhere() -> frozenset[str]:
    """The names of all modules."""
    return frozenset().union(*map(names_in, MODULES))


def references() -> Iterator[tuple[str, str]]:
    """Each module with what it refers to."""
    for module, path in MODULES.items():
        for target in REFERENCE.findall(path.read_text(encoding="utf-8")):
            yield module, target


def test_every_reference_leads_to_something_that_is_there() -> None:
    found = list(references())
    assert len(found) > 200
    assert [f"{module}: {target}" for module, target in found if not leads_somewhere(target, module)] == []


def test_a_renamed_module_is_noticed() -> None:
    module = "visionllm_interaction.reasoning.planning.llm_planner"
    assert not leads_somewhere(".plan_constraints", module)
    assert not leads_somewhere("visionllm_interaction.reasoning.planning.plan_constraints", module)
    assert leads_somewhere(".plan_against_words", module)
