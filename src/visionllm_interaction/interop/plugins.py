"""Formats of coding tools of other distributions: entry points of the group ``visionllm.coding_formats``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from visionllm_interaction.errors import InputDataError, UsageError, VisionLLMError
from visionllm_interaction.interop.tiers import Timeline
from visionllm_interaction.utils.plugins import Plugin, PluginGroup, failed_plugin, unusable_plugins


class CodingFormatPlugin(Protocol):
    """Reads the files of one coding tool; :class:`WritableCodingFormatPlugin` writes them as well."""

    @property
    def name(self) -> str:
        """The format, as the entry point is called and ``visionllm export --format`` names it."""
        ...

    @property
    def endings(self) -> tuple[str, ...]:
        """Endings of its files in small letters, with the dot: ``(".cha",)``; the first one is given to exports."""
        ...

    def read(self, path: Path) -> Mapping[str, Timeline]:
        """Read a file.

        Args:
            path: a file with one of the endings.

        Returns:
            Name of the observation → its timeline. Times are seconds from the begin of the video.
        """
        ...


class WritableCodingFormatPlugin(CodingFormatPlugin, Protocol):
    """A coding format that is written as well."""

    def to_bytes(self, timeline: Timeline) -> bytes:
        """The file that holds ``timeline``, the tiers of one video."""
        ...


def _problems(plugin: Any) -> Iterable[str]:
    if not plugin.endings:
        yield "endings is empty"
    for ending in plugin.endings:
        if not ending.startswith(".") or ending != ending.lower() or len(ending) < 2:
            yield f"the ending {ending!r} must be a dot and small letters"


def group(reserved: Iterable[str], endings: Iterable[str]) -> PluginGroup[CodingFormatPlugin]:
    """The group, with the names and the endings that are built in.

    Args:
        reserved: names of formats.
        endings: of their files, in small letters.

    Returns:
        The group.
    """
    taken = frozenset(endings)
    return PluginGroup(
        "visionllm.coding_formats",
        CodingFormatPlugin,
        reserved=frozenset(reserved),
        problems_of=lambda plugin: [*_problems(plugin), *_taken(plugin.endings, taken)],
    )


def _taken(endings: Iterable[str], taken: frozenset[str]) -> Iterable[str]:
    return (f"the ending {ending} is built in" for ending in endings if ending in taken)


def read_by_plugin(
    formats: PluginGroup[CodingFormatPlugin], path: Path, *, built_in: Iterable[str]
) -> dict[str, Timeline]:
    """Read a file with the plug-in that knows its ending.

    Args:
        formats: the group.
        path: the file.
        built_in: endings that no plug-in is needed for, for the message.

    Returns:
        Name of the observation → its timeline.

    Raises:
        UsageError: if none knows it.
        PluginError: if several do, or what the plug-in gives is no timeline.
        InputDataError: if the plug-in cannot read the file.
    """
    matches = formats.matching(lambda plugin: plugin.endings)
    known = {ending for _, endings in matches.found for ending in endings}
    fitting = formats.matching(lambda plugin: path.name.lower().endswith(plugin.endings)).only(where=str(path))
    if fitting is None:
        raise UsageError(
            "The format of the file is not known.",
            expected=f"one of: {', '.join(sorted({*built_in, *known}))}",
            found=path.name,
            fix=unusable_plugins(matches.failures),
        )
    plugin, _ = fitting
    timelines = _guarded(plugin, lambda: dict(plugin.offered.read(path)), path)
    if not timelines or not all(isinstance(timeline, Timeline) for timeline in timelines.values()):
        raise failed_plugin(plugin.entry, "read gave no timelines", where=str(path))
    return timelines


def _guarded(
    plugin: Plugin[CodingFormatPlugin], read: Callable[[], dict[str, Timeline]], path: Path
) -> dict[str, Timeline]:
    try:
        return read()
    except (VisionLLMError, MemoryError):
        raise
    except Exception as error:
        raise InputDataError(
            "A coded file cannot be read.",
            expected=f"what {plugin.entry} reads",
            found=f"{type(error).__name__}: {error}",
            where=str(path),
            fix="export it again from the coding tool",
        ) from error


def writer_of(plugin: Plugin[CodingFormatPlugin]) -> Callable[[Timeline], bytes]:
    """What turns a timeline into a file of the plug-in's format.

    Args:
        plugin: a coding format.

    Returns:
        A function from a timeline to the content of the file.

    Raises:
        UsageError: if the plug-in only reads.
    """
    to_bytes: Callable[[Timeline], bytes] | None = getattr(plugin.offered, "to_bytes", None)
    if to_bytes is None:
        raise UsageError(
            "The format can only be read.",
            expected="a plug-in with to_bytes",
            found=plugin.entry.name,
            where=str(plugin.entry),
        )

    def write(timeline: Timeline) -> bytes:
        try:
            content = to_bytes(timeline)
        except (VisionLLMError, MemoryError):
            raise
        except Exception as error:
            raise failed_plugin(plugin.entry, error) from error
        if not isinstance(content, bytes):
            raise failed_plugin(plugin.entry, f"to_bytes gave a {type(content).__name__}")
        return content

    return write
