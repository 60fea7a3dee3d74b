"""Plug-ins: objects that other distributions offer to this program by entry points.

A group is asked only where nothing built in fits, or where everything is listed. The metadata of the installed
distributions is read then, once per group and process; a plug-in is imported when it is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from visionllm_interaction.errors import PluginError
from visionllm_interaction.utils.protocol_check import protocol_problems

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

# importlib.metadata is imported where it is used: most commands ask no group.

PluginT = TypeVar("PluginT")
AnswerT = TypeVar("AnswerT")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LONGEST = 500


@dataclass(frozen=True)
class PluginEntry:
    """What a distribution says about one plug-in; nothing of it is imported yet.

    Attributes:
        group: the entry points' group, such as ``"visionllm.measures"``.
        name: the plug-in's name in its group.
        target: where it is, as ``module:object``.
        distribution: name of the distribution that brings it.
        version: that distribution's version.
    """

    group: str
    name: str
    target: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} of {self.distribution} {self.version} (group {self.group})"


@dataclass(frozen=True)
class Plugin(Generic[PluginT]):
    """A plug-in that was imported and fulfils its Protocol.

    Attributes:
        entry: its name, distribution and version.
        offered: the object itself.
    """

    entry: PluginEntry
    offered: PluginT


@dataclass(frozen=True)
class Matches(Generic[PluginT, AnswerT]):
    """The plug-ins that fit a question, each with its answer, and those that could not be asked."""

    found: tuple[tuple[Plugin[PluginT], AnswerT], ...]
    failures: tuple[PluginError, ...]

    def only(self, *, where: str) -> tuple[Plugin[PluginT], AnswerT] | None:
        """The one that fits.

        Args:
            where: what was asked about, for the message.

        Returns:
            The plug-in and its answer; None where none fits.

        Raises:
            PluginError: if several fit.
        """
        if len(self.found) > 1:
            raise PluginError(
                "Several plug-ins open the same file.",
                expected="one",
                found="; ".join(str(plugin.entry) for plugin, _ in self.found),
                where=where,
                fix="uninstall all but one of these distributions",
            )
        return self.found[0] if self.found else None


@dataclass(frozen=True)
class PluginGroup(Generic[PluginT]):
    """One kind of plug-in.

    Attributes:
        name: the entry points' group.
        protocol: the Protocol that an object of this group fulfils; its ``name`` is the entry point's.
        reserved: names that are built in, which no plug-in may take.
        problems_of: what else is wrong with an object that has all that the Protocol asks for.
    """

    name: str
    protocol: type[Any]
    reserved: frozenset[str] = frozenset()
    problems_of: Callable[[PluginT], Iterable[str]] = lambda _: ()

    def entries(self) -> tuple[PluginEntry, ...]:
        """All that installed distributions offer in this group, by name; nothing is imported."""
        return _entries(self.name)

    def names(self) -> tuple[str, ...]:
        """The names of :meth:`entries`, each once."""
        return tuple(dict.fromkeys(entry.name for entry in self.entries()))

    def get(self, name: str) -> Plugin[PluginT] | None:
        """Look a plug-in up.

        Args:
            name: its name in this group.

        Returns:
            The plug-in; None if no distribution offers one of this name.

        Raises:
            PluginError: if it cannot be used.
        """
        entry = next((entry for entry in self.entries() if entry.name == name), None)
        return None if entry is None else self.load(entry)

    def load(self, entry: PluginEntry) -> Plugin[PluginT]:
        """Import a plug-in and check it.

        Args:
            entry: one of :meth:`entries`.

        Returns:
            The plug-in; it is imported and checked once per process.

        Raises:
            PluginError: if its name is taken, it cannot be imported or does not fulfil the Protocol.
        """
        loaded: Plugin[PluginT] = _loaded(self, entry)
        return loaded

    def load_all(self) -> tuple[tuple[Plugin[PluginT], ...], tuple[PluginError, ...]]:
        """Every plug-in that can be used, and why the others cannot."""
        usable, failures = [], []
        for entry in self.entries():
            try:
                usable.append(self.load(entry))
            except PluginError as error:
                failures.append(error)
        return tuple(usable), tuple(failures)

    def matching(self, ask: Callable[[PluginT], AnswerT]) -> Matches[PluginT, AnswerT]:
        """The plug-ins for which ``ask`` gives something that is true; one that raises counts as a failure."""
        usable, failures = self.load_all()
        found, failed = [], list(failures)
        for plugin in usable:
            try:
                answer = ask(plugin.offered)
            except Exception as error:  # noqa: BLE001  (code of somebody else: the other plug-ins are asked all the same)
                failed.append(failed_plugin(plugin.entry, error))
                continue
            if answer:
                found.append((plugin, answer))
        return Matches(tuple(found), tuple(failed))


def failed_plugin(entry: PluginEntry, error: BaseException | str, *, where: str | None = None) -> PluginError:
    """The error for a plug-in that raised ``error``, or did what it says.

    Args:
        entry: the plug-in.
        error: what it raised, or what it did in words.
        where: what it worked on.

    Returns:
        The error, to be raised.
    """
    return PluginError(
        "A plug-in failed.",
        expected="what docs/extending.md says of its group",
        found=error if isinstance(error, str) else _in_words(error),
        where=str(entry) + (f", {where}" if where else ""),
        fix=_fix(entry),
    )


def unusable_plugins(failures: Iterable[PluginError]) -> str | None:
    """A line about plug-ins that could not be asked, for an error about something that nobody knows."""
    places = [error.where or "" for error in failures]
    return f"plug-ins that cannot be used: {'; '.join(places)}; see `visionllm doctor`" if places else None


@cache
def _entries(group: str) -> tuple[PluginEntry, ...]:
    from importlib.metadata import entry_points

    found = {_entry(point) for point in entry_points(group=group)}
    return tuple(sorted(found, key=lambda entry: (entry.name, entry.distribution)))


def _entry(point: EntryPoint) -> PluginEntry:
    about = point.dist
    name, version = (about.name, about.version) if about else ("an unnamed distribution", "?")
    return PluginEntry(point.group, point.name, point.value, name, version)


def forget_entry_points() -> None:
    """Read the metadata of distributions again when the next group is asked, because some were installed meanwhile."""
    for cached in (_entries, _loaded):
        cached.cache_clear()


@cache
def _loaded(group: PluginGroup[Any], entry: PluginEntry) -> Plugin[Any]:
    from importlib.metadata import EntryPoint

    _check_name(group, entry)
    try:
        offered = EntryPoint(entry.name, entry.target, entry.group).load()
    except (Exception, SystemExit) as error:
        raise PluginError(
            "A plug-in cannot be imported.",
            expected=f"an object at {entry.target}",
            found=_in_words(error),
            where=str(entry),
            fix=_fix(entry),
        ) from error
    problems = protocol_problems(offered, group.protocol) or [*_named_otherwise(offered, entry)]
    problems = problems or [*group.problems_of(offered)]
    if problems:
        raise PluginError(
            "A plug-in does not fulfil its Protocol.",
            expected=f"what visionllm_interaction.plugins.{group.protocol.__name__} asks for",
            found="; ".join(problems),
            where=str(entry),
            fix=_fix(entry),
        )
    return Plugin(entry, offered)


def _check_name(group: PluginGroup[Any], entry: PluginEntry) -> None:
    others = [other for other in group.entries() if other.name == entry.name and other != entry]
    taken_by = "built in" if entry.name in group.reserved else "; ".join(map(str, others))
    if taken_by:
        raise PluginError(
            "The name of a plug-in is taken.",
            expected="a name of its own",
            found=f"{entry.name!r} is also {taken_by}",
            where=str(entry),
            fix=_fix(entry),
        )
    if not _NAME.fullmatch(entry.name):
        raise PluginError(
            "The name of a plug-in cannot be used.",
            expected="letters, digits, dots, hyphens and underscores",
            found=repr(entry.name),
            where=str(entry),
            fix=_fix(entry),
        )


def _named_otherwise(offered: Any, entry: PluginEntry) -> Iterable[str]:
    if offered.name != entry.name:
        yield f"its name is {offered.name!r}, but its entry point is called {entry.name!r}"


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:_LONGEST]}".removesuffix(": ")


def _fix(entry: PluginEntry) -> str:
    return f"upgrade or uninstall {entry.distribution}, or tell its authors; nothing else of this program is affected"
