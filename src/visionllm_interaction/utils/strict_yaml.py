"""Reading YAML that people write: safe types only, and duplicate keys are refused.

YAML parsers silently keep the last of two equal keys. Here the error names the lines of both. A key that overrides one
from a merge (``<<: *anchor``) is not a duplicate.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE_TAG = "tag:yaml.org,2002:merge"

KeyPath = tuple[str, ...]


@dataclass(frozen=True)
class DuplicateKey:
    """A key that occurs more than once in one mapping."""

    path: KeyPath
    """The keys and list positions that lead to the key, and the key itself."""
    lines: tuple[int, ...]
    """Its lines, counted from 1."""

    def __str__(self) -> str:
        *rest, last = (str(line) for line in sorted(set(self.lines)))
        where = f"lines {', '.join(rest)} and {last}" if rest else f"line {last}"
        times = "twice" if len(self.lines) == 2 else f"{len(self.lines)} times"
        return f"{'.'.join(self.path)}: the key occurs {times}, in {where}"


class DuplicateKeysError(yaml.YAMLError):
    """At least one key of a YAML text occurs twice."""

    def __init__(self, duplicates: tuple[DuplicateKey, ...]) -> None:
        super().__init__("; ".join(map(str, duplicates)))
        self.duplicates = duplicates


@dataclass(frozen=True)
class YamlDocument:
    """A parsed YAML text."""

    content: Any
    """Mappings, lists and scalars."""
    lines: dict[KeyPath, int] = field(default_factory=dict)
    """The line of every key, counted from 1."""


def load_yaml(text: str | bytes, *, scalars_as_text: bool = False) -> Any:
    """Read a YAML text.

    Args:
        text: one document.
        scalars_as_text: keep every scalar as the text that was written, so that ``no`` and ``007`` stay names.

    Returns:
        Mappings, lists and scalars; ``None`` for an empty text.

    Raises:
        DuplicateKeysError: if a key occurs twice, at any depth.
        yaml.YAMLError: if the text is not YAML, or contains unsafe types.
    """
    return _parse(text, yaml.BaseLoader if scalars_as_text else _LOADER).content


def parse_yaml(text: str | bytes) -> YamlDocument:
    """Read a YAML text with the line of every key.

    Args:
        text: one document.

    Returns:
        Content and lines.

    Raises:
        DuplicateKeysError: if a key occurs twice, at any depth.
        yaml.YAMLError: if the text is not YAML, or contains unsafe types.
    """
    return _parse(text, _LOADER)


def _parse(text: str | bytes, loader_type: Any) -> YamlDocument:
    loader = loader_type(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return YamlDocument(None)
        scan = _KeyScan(loader)
        scan.visit(root, ())
        if scan.duplicates:
            raise DuplicateKeysError(tuple(sorted(scan.duplicates, key=lambda found: found.lines)))
        return YamlDocument(loader.construct_document(root), scan.lines)
    except (ValueError, RecursionError) as error:  # a date that does not exist; nested without end
        raise yaml.YAMLError(f"a value cannot be read: {error}") from error
    finally:
        loader.dispose()


class _KeyScan:
    """One walk over the nodes of a document, before they become Python values."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._visited: set[int] = set()
        self._open: set[int] = set()
        self.duplicates: list[DuplicateKey] = []
        self.lines: dict[KeyPath, int] = {}

    def visit(self, node: yaml.Node, path: KeyPath) -> None:
        if id(node) in self._open:
            raise yaml.YAMLError(f"{'.'.join(path)}: refers to itself, in line {_line(node)}")
        if id(node) in self._visited:  # an alias, whose target has been visited
            return
        self._visited.add(id(node))
        self._open.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            for number, item in enumerate(node.value):
                self.visit(item, (*path, str(number)))
        elif isinstance(node, yaml.MappingNode):
            self._mapping(node, path)
        self._open.remove(id(node))

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> None:
        found: dict[Hashable, list[yaml.Node]] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE_TAG:
                self.visit(value_node, path)
                continue
            for key in self._key(key_node):
                found.setdefault(key, []).append(key_node)
            here = (*path, str(key_node.value))
            self.lines[here] = _line(key_node)
            self.visit(value_node, here)
        self.duplicates += [
            DuplicateKey((*path, str(nodes[0].value)), tuple(map(_line, nodes)))
            for nodes in found.values()
            if len(nodes) > 1
        ]

    def _key(self, node: yaml.Node) -> Iterator[Hashable]:
        """The key as a Python value, so that ``1`` and ``01`` are equal; nothing if it is not hashable."""
        try:
            key = self._loader.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError):
            self._loader.recursive_objects.pop(node, None)  # construct_document reports it, with its place
            return
        if isinstance(key, Hashable):
            yield key


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
