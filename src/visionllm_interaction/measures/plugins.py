"""Measures of other distributions: entry points of the group ``visionllm.measures``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from visionllm_interaction.errors import VisionLLMError
from visionllm_interaction.measures.catalogue import Measure
from visionllm_interaction.measures.catalogue_sequential import ALL_MEASURES
from visionllm_interaction.measures.language.syntax_tree import Call
from visionllm_interaction.utils.logs import log
from visionllm_interaction.utils.plugins import Plugin, PluginGroup

if TYPE_CHECKING:
    from visionllm_interaction.store.video_view import VideoView

_TOLERANCE_S = 1e-6


@dataclass(frozen=True, slots=True)
class MeasuredValue:
    """A value, and where in the video it can be checked.

    Attributes:
        value: a finite number in the measure's unit.
        track_ids: the tracks it rests on; may be empty where it rests on codes.
        begin_s: begin of the interval it rests on, in seconds of the video.
        end_s: end of that interval; later than its begin, both within the window asked about.
    """

    value: float | int
    track_ids: tuple[int, ...]
    begin_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class MissingValue:
    """There can be no value, because an input is not there: "no speech was imported"."""

    reason: str


class MeasurePlugin(Protocol):
    """A measure of one or two names in one video, computed in Python."""

    @property
    def name(self) -> str:
        """As the entry point is called, for example ``"path_length"``."""
        ...

    @property
    def definition(self) -> str:
        """What the value is, in one sentence that a paper could quote."""
        ...

    @property
    def unit(self) -> str:
        """The unit of the value, for example ``"s"``, ``"count"``, ``"share"`` or ``"per_min"``."""
        ...

    @property
    def source(self) -> str:
        """The paper or standard that defines it."""
        ...

    @property
    def inputs(self) -> Literal["one", "pair"]:
        """Whether it is about a subject alone, or a subject and an object."""
        ...

    @property
    def nothing(self) -> float | int | None:
        """The value where nothing was found: 0 for durations and counts, None where there is no such value."""
        ...

    @property
    def version(self) -> int:
        """Raised with every change of the definition; it stands beside each value."""
        ...

    def compute(
        self, video: VideoView, *, subject: str, object: str | None, begin_s: float, end_s: float
    ) -> MeasuredValue | MissingValue | None:
        """The value in one video.

        Args:
            video: the video, with its tables; ``video.tracks_named(subject)`` are the tracks of a name.
            subject: a category, a role, ``"person"`` or ``"thing"``.
            object: the same, of a measure of pairs; else None.
            begin_s: begin of the window in seconds; nothing before it counts.
            end_s: end of the window; nothing from there on counts.

        Returns:
            The value with its evidence, the reason why there can be none, or None where nothing was found.
        """
        ...


MEASURE_PLUGINS: PluginGroup[MeasurePlugin] = PluginGroup(
    "visionllm.measures", MeasurePlugin, reserved=frozenset(ALL_MEASURES)
)


@dataclass(frozen=True)
class PluginMeasure(Measure):
    """A measure that a plug-in computes."""

    plugin: Plugin[MeasurePlugin] | None = None

    @property
    def computed_by(self) -> str:
        """The distribution and its version."""
        assert self.plugin is not None
        return f"{self.plugin.entry.distribution} {self.plugin.entry.version}"

    def compute(
        self, video: VideoView, *, subject: str, object: str | None, begin_s: float, end_s: float
    ) -> MeasuredValue | MissingValue | None:
        """As :meth:`MeasurePlugin.compute`; whatever goes wrong in it is the reason for having no value.

        Args:
            video: the video.
            subject: a category, a role, ``"person"`` or ``"thing"``.
            object: the same, of a measure of pairs; else None.
            begin_s: begin of the window in seconds.
            end_s: end of the window in seconds.

        Returns:
            The value, the reason why there is none, or None where nothing was found.

        Raises:
            StoreError: if the store is damaged.
        """
        assert self.plugin is not None
        try:
            found = self.plugin.offered.compute(video, subject=subject, object=object, begin_s=begin_s, end_s=end_s)
            problem = _problem_of(found, video, begin_s, end_s)
        except (VisionLLMError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001  (code of somebody else: the other measures are computed all the same)
            problem = f"{type(error).__name__}: {error}"
        if problem is None:
            return _plain(found)
        _warn_once(str(self.plugin.entry), problem)
        return MissingValue(f"{self.computed_by} failed: {problem}")


def find_measure(name: str) -> Measure | None:
    """Look a measure up.

    Args:
        name: of a measure that is built in, or of a plug-in.

    Returns:
        The measure; None if there is none of this name.

    Raises:
        PluginError: if a plug-in offers it and cannot be used.
    """
    if name in ALL_MEASURES:
        return ALL_MEASURES[name]
    plugin = MEASURE_PLUGINS.get(name)
    return _as_measure(plugin) if plugin else None


def all_measures() -> Mapping[str, Measure]:
    """The catalogue by name, then the measures of plug-ins; one that cannot be used is logged and left out."""
    plugins, failures = MEASURE_PLUGINS.load_all()
    for error in failures:
        log.warning("a plug-in measure is left out", plugin=error.where, problem=error.message, found=error.found)
    return MappingProxyType({**ALL_MEASURES, **{plugin.entry.name: _as_measure(plugin) for plugin in plugins}})


def measure_names() -> list[str]:
    """The names of :func:`all_measures`, sorted."""
    usable, _ = MEASURE_PLUGINS.load_all()
    return sorted({*ALL_MEASURES, *(plugin.entry.name for plugin in usable)})


@cache
def _warn_once(plugin: str, problem: str) -> None:
    """A measure fails for many videos and names alike; each row of the table has the reason."""
    log.warning("a plug-in measure failed", plugin=plugin, problem=problem)


def _as_measure(plugin: Plugin[MeasurePlugin]) -> PluginMeasure:
    offered = plugin.offered
    return PluginMeasure(
        name=offered.name,
        definition=offered.definition,
        unit=offered.unit,
        source=offered.source,
        inputs=offered.inputs,
        nothing=offered.nothing,
        expression=Call(offered.name),
        version=offered.version,
        plugin=plugin,
    )


def _problem_of(found: Any, video: VideoView, begin_s: float, end_s: float) -> str | None:
    """What makes a result unusable, or None."""
    if found is None:
        return None
    if isinstance(found, MissingValue):
        return None if found.reason else "it gave no reason"
    if not isinstance(found, MeasuredValue):
        return f"it gave a {type(found).__name__}"
    if not isinstance(found.value, Real) or isinstance(found.value, bool) or not math.isfinite(found.value):
        return f"its value is {found.value!r}"
    if not begin_s - _TOLERANCE_S <= found.begin_s < found.end_s <= end_s + _TOLERANCE_S:
        return f"its evidence is at {found.begin_s} to {found.end_s} s, asked about {begin_s} to {end_s} s"
    unknown = set(found.track_ids) - {track.track_id for track in video.tracks}
    return f"the video has no tracks {sorted(unknown)}" if unknown else None


def _plain(found: MeasuredValue | MissingValue | None) -> MeasuredValue | MissingValue | None:
    """Numbers of numpy as those of Python, and the tracks in order."""
    if not isinstance(found, MeasuredValue):
        return found
    value = int(found.value) if isinstance(found.value, Integral) else float(found.value)
    tracks = tuple(sorted({int(track_id) for track_id in found.track_ids}))
    return MeasuredValue(value, tracks, float(found.begin_s), float(found.end_s))
