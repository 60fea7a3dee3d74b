"""Naming moments: is the named object in view, how large, in whose hand, and looked at by whom?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.intervals import TOLERANCE_S, Intervals, as_intervals, contains, total_s, union
from visionllm_interaction.measures.sequential.value_or_reason import Statistic, mean_of, ratio, undefined

_NO_KNOWN = "no naming of an object whose presence in view is known"


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """How much of the image an object covers.

    Attributes:
        intervals: (N, 2) the time of each processed frame in which the object is in view, seconds.
        shares: (N,) the share of the image that it covers then.
    """

    intervals: Intervals
    shares: NDArray[np.float64]

    def mean(self, begin_s: float, end_s: float) -> float:
        """The mean over ``[begin_s, end_s)``, weighted by time; 0 while the object is not in view."""
        cut = np.clip(self.intervals, begin_s, end_s)
        return float((cut[:, 1] - cut[:, 0]) @ self.shares / (end_s - begin_s))


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What is known of the objects around a naming.

    Attributes:
        in_view: object → (N, 2) seconds in which it is in view.
        sizes: object → its sizes; without an object, its rank of size is not known.
        handled_by: person → object → (N, 2) seconds.
        looked_at_by: person → object → (N, 2) seconds.
    """

    in_view: Mapping[str, Intervals]
    sizes: Mapping[str, Sizes] = field(default_factory=dict)
    handled_by: Mapping[str, Mapping[str, Intervals]] = field(default_factory=dict)
    looked_at_by: Mapping[str, Mapping[str, Intervals]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NamingMoment:
    """One naming.

    Attributes:
        begin_s: begin of the window that was judged.
        end_s: its end; the same as the begin for a moment.
        referent: the object named.
        in_view: whether it is in view at any time in the window; None where that is not known: the object is not
            among those looked for, or the window was not observed.
        size_rank: 1 if its mean size in the window is the largest of all objects in view, and so on; equal sizes
            share the better rank. None where it is not in view or its size is not known.
        handled_by: the people who handle it in the window.
        looked_at_by: the people who look at it in the window.
    """

    begin_s: float
    end_s: float
    referent: str
    in_view: bool | None
    size_rank: int | None
    handled_by: tuple[str, ...]
    looked_at_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NamingSummary:
    """All namings.

    Attributes:
        moments: one for each naming, in order of time.
        count: how many namings there are.
        share_in_view: share of the namings with the referent in view, of those where that is known.
        mean_size_rank: mean rank of size of the referents in view.
        share_largest: share of the ranked referents that are the largest object in view.
        share_handled: share of the namings of which the referent is in somebody's hands.
        share_looked_at: share of the namings of which somebody looks at the referent.
    """

    moments: tuple[NamingMoment, ...]
    count: Statistic
    share_in_view: Statistic
    mean_size_rank: Statistic
    share_largest: Statistic
    share_handled: Statistic
    share_looked_at: Statistic


def naming_moments(
    namings: Intervals, referents: Sequence[str], scene: Scene, *, observed: Intervals, pad_s: float = 0.0
) -> NamingSummary:
    """What the child has of the named object while it is named.

    Source: Yu & Smith (2012), Cognition 125, who judge 3 s before and after a naming (``pad_s=3``); Pereira, Smith
    & Yu (2014), Psychonomic Bulletin & Review 21.

    Args:
        namings: (N, 2) seconds; equal ends for moments.
        referents: (N,) the object that each names.
        scene: what is known of the objects.
        observed: (M, 2) processed time.
        pad_s: seconds before and after a naming that are judged with it.

    Returns:
        The moments in order of time, and their summary.

    Raises:
        ValueError: if ``referents`` and ``namings`` differ in length.
    """
    windows = as_intervals(namings)
    if len(windows) != len(referents):
        raise ValueError(f"{len(windows)} namings have {len(referents)} referents")
    windows = windows + np.array([-pad_s, pad_s])
    order = np.lexsort((windows[:, 1], windows[:, 0]))
    processed = union(observed)
    moments = tuple(_moment(windows[row], referents[row], scene, processed) for row in order)
    return NamingSummary(
        moments=moments,
        count=Statistic(len(moments), "count"),
        share_in_view=_share([moment.in_view for moment in moments if moment.in_view is not None], _NO_KNOWN),
        mean_size_rank=mean_of(_ranks(moments), "number", reason="no referent has a rank of size"),
        share_largest=_share((_ranks(moments) == 1).tolist(), "no referent has a rank of size"),
        share_handled=_share([bool(moment.handled_by) for moment in moments], "there is no naming")
        if scene.handled_by
        else undefined("share", "nobody's hands are known"),
        share_looked_at=_share([bool(moment.looked_at_by) for moment in moments], "there is no naming")
        if scene.looked_at_by
        else undefined("share", "nobody's gaze is known"),
    )


def _share(judged: Sequence[bool], reason: str) -> Statistic:
    return ratio(sum(judged), len(judged), reason=reason)


def _ranks(moments: tuple[NamingMoment, ...]) -> NDArray[np.float64]:
    return np.array([moment.size_rank for moment in moments if moment.size_rank is not None], dtype=np.float64)


def _moment(window: NDArray[np.float64], referent: str, scene: Scene, observed: Intervals) -> NamingMoment:
    in_view = _meets(scene.in_view[referent], window) if referent in scene.in_view else None
    if not in_view and not _meets(observed, window):
        in_view = None
    return NamingMoment(
        begin_s=float(window[0]),
        end_s=float(window[1]),
        referent=referent,
        in_view=in_view,
        size_rank=_size_rank(window, referent, scene) if in_view else None,
        handled_by=_people(scene.handled_by, referent, window),
        looked_at_by=_people(scene.looked_at_by, referent, window),
    )


def _meets(intervals: Intervals, window: NDArray[np.float64]) -> bool:
    """Whether ``window`` has time in common with ``intervals``; a moment: whether it lies in one."""
    begin, end = window
    if end - begin <= TOLERANCE_S:
        return bool(contains(union(intervals), np.array([begin]))[0])
    return total_s(np.clip(as_intervals(intervals), begin, end)) > TOLERANCE_S


def _people(
    parts: Mapping[str, Mapping[str, Intervals]], referent: str, window: NDArray[np.float64]
) -> tuple[str, ...]:
    empty = np.zeros((0, 2))
    return tuple(person for person in sorted(parts) if _meets(parts[person].get(referent, empty), window))


def _size_rank(window: NDArray[np.float64], referent: str, scene: Scene) -> int | None:
    if referent not in scene.sizes:
        return None
    begin, end = window
    if end - begin <= TOLERANCE_S:  # a moment: the frame it lies in
        end = begin + TOLERANCE_S
    means = {name: sizes.mean(begin, end) for name, sizes in scene.sizes.items()}
    if not means[referent]:
        return None
    return 1 + sum(mean > means[referent] * (1 + 1e-9) for mean in means.values())
