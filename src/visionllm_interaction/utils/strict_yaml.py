"""The one way YAML written by people is read: safe types only, and a key that stands twice is refused.

YAML parsers keep the last of two equal keys and drop the first without a word. Here both lines are named instead.
A key that overrides what a merge (``<<: *anchor``) brings in is no duplicate: that is what merges are for.
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
    """A key that stands more than once in one mapping."""

    path: KeyPath
    """The key, after the keys (and list positions) it lies below."""
    lines: tuple[int, ...]
    """Where it stands, counted from 1."""

    def __str__(self) -> str:
        *rest, last = (str(line) for line in sorted(set(self.lines)))
        where = f"lines {', '.join(rest)} and {last}" if rest else f"line {last}"
        times = "twice" if len(self.lines) == 2 else f"{len(self.lines)} times"
        return f"{'.'.join(self.path)}: the key stands {times}, in {where}"


class DuplicateKeysError(yaml.YAMLError):
    """At least one key of a YAML text stands twice."""

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
    """The content of a YAML text.

    Args:
        text: the YAML.
        scalars_as_text: keep every scalar as the text that was written, so that ``no`` and ``007`` stay names.

    Raises:
        DuplicateKeysError: if a key stands twice, at any depth.
        yaml.YAMLError: if the text is not YAML, or holds types that are not safe.
    """
    return _parse(text, yaml.BaseLoader if scalars_as_text else _LOADER).content


def parse_yaml(text: str | bytes) -> YamlDocument:
    """The content of a YAML text, and the line of every key.

    Raises:
        DuplicateKeysError: if a key stands twice, at any depth.
        yaml.YAMLError: if the text is not YAML, or holds types that are not safe.
    """
    return _parse(text, _LOADER)


def _parse(text: str | bytes, loader_type: Any) -> YamlDocument:
    loader = loader_type(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return YamlDocument(None)
        survey = _Survey(loader)
        survey.visit(root, ())
        if survey.duplicates:
            raise DuplicateKeysError(tuple(sorted(survey.duplicates, key=lambda found: found.lines)))
        return YamlDocument(loader.construct_document(root), survey.lines)
    except (ValueError, RecursionError) as error:  # a date that does not exist; nested without end
        raise yaml.YAMLError(f"a value cannot be read: {error}") from error
    finally:
        loader.dispose()


class _Survey:
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
        if id(node) in self._visited:  # an alias: what it refers to was examined where it is written out
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
        """The key as Python sees it, so that ``1`` and ``01`` are one key; nothing if it cannot be a key at all."""
        try:
            key = self._loader.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError):
            self._loader.recursive_objects.pop(node, None)  # construct_document reports it, with its place
            return
        if isinstance(key, Hashable):
            yield key


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
