"""What right answers to ``five_people_third.tsv`` say, from the truth of the videos; several where words are vague."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from truth.readings import (
    NO,
    Expected,
    Reading,
    Value,
    best,
    best_video,
    chosen,
    count,
    each,
    how_many,
    lengths,
    more,
    n_toys,
    names,
    number,
    one_video,
    part,
    per_video,
    ratio,
    refused,
    says,
    seconds,
    share,
    sum_of,
    yes,
)
from truth.room_quantities import (
    A,
    C,
    Truths,
    downs,
    end,
    given,
    handled,
    held,
    held_bouts,
    latest,
    mean,
    most,
    near,
    not_during,
    picks,
    standard_deviation,
    starts,
    touching,
    whole,
)
from truth.room_truth import (
    PEOPLE,
    RoomTruth,
    both,
    bouts,
    cut,
    holds_at,
    total,
    without,
)

_EPS = 1e-6


def _followed(times: list[float], others: list[float], within: float) -> int:
    return sum(any(x <= y <= x + within + _EPS for y in others) for x in times)


def _given_back(t: RoomTruth) -> float:
    return float(sum(any(x <= y <= x + 10 for x in given(t, A, C)) for y in given(t, C, A)))


def _approach_lag(t: RoomTruth) -> list[float]:
    return [x for x in [_next(x, t.moments("enters", A)) for x in t.moments("leaves", A)] if x is not None]


def _next(time: float, others: list[float]) -> float | None:
    return next((y - time for y in others if y >= time), None)


def _touched_before(t: RoomTruth) -> Value:
    ball, cup = (min((b for b, _ in handled(t, C, n)), default=None) for n in ("ball", "cup"))
    return None if ball is None or cup is None else ball < cup


def _second_leave(t: RoomTruth) -> Value:
    found = t.moments("leaves", A)
    return found[1] if len(found) > 1 else None


def _with_child(t: RoomTruth) -> Value:
    return frozenset({A}) if holds_at(t.visible(A), t.duration_s - 1e-3) else frozenset()


def _gaps_of_picks(t: RoomTruth) -> list[float]:
    times = picks(t, C)
    return [y - x for x, y in itertools.pairwise(times)]


def _lengths_held(ts: Truths) -> list[float]:
    return [e - b for t in ts for b, e in held_bouts(t, C)]


def _at_first_pick(t: RoomTruth) -> Value:
    times = picks(t, C)
    return holds_at(t.visible(A), times[0]) if times else None


def _touch_s(k: int) -> Callable[[RoomTruth], float]:
    return lambda t: total(cut(touching(t), (t.duration_s * k / 2, t.duration_s * (k + 1) / 2)))


def _touch_n(k: int) -> Callable[[RoomTruth], float]:
    return lambda t: float(len(bouts(cut(touching(t), (t.duration_s * k / 2, t.duration_s * (k + 1) / 2)))))


def _last_held(t: RoomTruth) -> Value:
    return latest({n: end(held(t, A, n)) for n in t.objects})


def _minutes(reading: Reading) -> Reading:
    def of(ts: Truths) -> Expected:
        found = reading(ts)
        together = float(found.together) / 60  # type: ignore[arg-type]
        return Expected("number", {v: float(x) / 60 for v, x in found.per_video.items()}, together)  # type: ignore[arg-type]

    return of


def _not_near(t: RoomTruth) -> list[float]:
    return [e for _, e in bouts(near(t)) if e < t.duration_s - _EPS]


def _alone_holding(t: RoomTruth) -> list[tuple[float, float]]:
    return both(held(t, C), t.alone(C))


def _most_kinds(ts: Truths) -> frozenset[str]:
    kinds = {w: len({n for t in ts for _, n in t.events_with_object("puts_down", w)}) for w in PEOPLE}
    return frozenset(w for w, k in kinds.items() if k == max(kinds.values()))


def _all_picks(t: RoomTruth) -> float:
    return float(len(t.moments("picks_up")))


def _alone_over_5(ts: Truths) -> bool:
    return sum(total(t.alone(C)) for t in ts) > 5


def _middle(ts: Truths) -> float | None:
    found = sorted(x for t in ts for x in _approach_lag(t))
    half = len(found) // 2
    if not found:
        return None
    return found[half] if len(found) % 2 else (found[half - 1] + found[half]) / 2


_GIVEN_DOWN = [
    share(
        lambda t: float(_followed(downs(t, C), picks(t, A), 5)),
        lambda t: float(len(downs(t, C))),
    )
]
_GONE = [lengths(lambda t: [(0.0, x) for x in _approach_lag(t)], how) for how in (mean, most)]
_BACK = [*_GONE, each(lambda t: (_approach_lag(t) or [None])[0]), number(_middle)]

THIRD: Mapping[str, Reading | list[Reading]] = {
    "H001": share(lambda t: float(len(given(t, A))), lambda t: float(len(given(t)))),
    "H002": per_video(lambda t: total(touching(t))),
    "H003": sum_of(_given_back),
    "H004": [NO, number(lambda ts: most([e - b for t in ts for b, e in _alone_holding(t)]))],
    "H005": [
        lengths(lambda t: bouts(t.alone(C)), most),
        number(lambda ts: most([e - b for t in ts for b, e in t.alone(C)]) or 0.0),
    ],
    "H006": part(near, lambda t: t.visible(C, A)),
    "H007": [more(_touch_s(1), _touch_s(0)), more(_touch_n(1), _touch_n(0))],
    "H008": count(lambda t: [x for x in picks(t, C) if holds_at(near(t), x)]),
    "H009": refused("attach", "judg", "secur"),
    "H010": refused("speech", "sound", "noun"),
    "H011": refused("naming", "speech", "sound"),
    "H012": count(lambda t: given(t, None, None, "ball")),
    "H013": refused("speech", "sound", "turn"),
    "H014": NO,
    "H015": best(lambda t, n: total(held(t, C, n)), "objects"),
    "H016": chosen(lambda ts, n: sum(len(given(t, A, C, n)) for t in ts) > 1),
    "H017": count(lambda t: [r for n in t.objects for r in t.releases(C, n)]),
    "H018": yes(lambda t: bool(held(t, A, "car"))),
    "H019": lengths(lambda t: held_bouts(t, C), most),
    "H020": [best_video(lambda t: t.duration_s), names(lambda ts: frozenset(t.video_id for t in ts)), NO],
    "H021": lengths(lambda t: held_bouts(t, C), mean),
    "H022": [
        best(lambda t, w: float(len(downs(t, w))), "people"),
        names(_most_kinds),
    ],
    "H023": each(_touched_before, "yes_no"),
    "H024": [count(lambda t: given(t, A, C)), *n_toys(lambda t, n: given(t, A, C, n))],
    "H025": each(_second_leave),
    "H026": [lambda _: Expected("text"), NO],
    "H027": [seconds(lambda t: t.visible(A)), _minutes(seconds(lambda t: t.visible(A)))],
    "H028": [yes(lambda t: any(e - b > 5 for b, e in bouts(t.alone(C)))), says(_alone_over_5)],
    "H029": _BACK,
    "H030": [NO, each(lambda t: end(touching(t)))],
    "H031": NO,
    "H032": [
        count(lambda t: bouts(not_during(touching(t), held(t, C)))),
        count(lambda t: [b for b in starts(touching(t)) if not holds_at(held(t, C), b)]),
        NO,
    ],
    "H033": [each(_with_child, "names"), NO],
    "H034": seconds(lambda t: not_during(t.visible(C), t.visible(A))),
    "H035": NO,
    "H036": number(lambda ts: min((x for t in ts for x in _gaps_of_picks(t)), default=None)),
    "H037": [number(lambda ts, d=d: standard_deviation(_lengths_held(ts), d)) for d in (1, 0)],  # type: ignore[misc]
    "H038": [
        per_video(lambda t: float(len(picks(t, C)) + len(picks(t, A)))),
        per_video(_all_picks),
    ],
    "H039": count(_not_near),
    "H040": _GIVEN_DOWN,
    "H041": part(lambda t: held(t, A), lambda t: held(t, C)),
    "H042": how_many(lambda ts, n: all(n in t.objects and t.visible(n) for t in ts)),
    "H043": share(lambda t: float(len(given(t, None, None, "ball"))), lambda t: float(len(given(t)))),
    "H044": ratio(lambda t: float(len(picks(t, C))), lambda t: float(len(downs(t, C)))),
    "H045": number(lambda ts: float(sum(not touching(t) for t in ts))),
    "H046": share(lambda t: float(len(given(t, A, C))), lambda t: float(len(given(t)))),
    "H047": [
        per_video(lambda t: total(held(t, C, "ball"))),
        each(lambda t: mean([e - b for b, e in held_bouts(t, C, "ball")])),
    ],
    "H048": best(lambda t, n: float(len(given(t, None, None, n))), "objects"),
    "H049": count(lambda t: given(t, C, A)),
    "H050": each(_at_first_pick, "yes_no"),
    "H051": _BACK,
    "H052": number(lambda ts: float(sum(bool(held(ts[0], C, n)) for n in ts[0].objects))),
    "H053": part(lambda t: held(t, None, "book")),
    "H054": seconds(lambda t: without(whole(t), t.visible(A))),
    "H055": [each(lambda t: end(held(t, C))), each(lambda t: max((b for b, _ in held_bouts(t, C)), default=None))],
    "H056": [
        per_video(lambda t: float(len(picks(t, C)))),
        per_video(lambda t: float(len({n for _, n in t.events_with_object("picks_up", C)}))),
    ],
    "H057": best(lambda t, w: total(t.visible(w)), "people"),
    "H058": seconds(lambda t: not_during(held(t, C), t.visible(A))),
    "H059": one_video(0, _last_held, "names"),
    "H060": _GIVEN_DOWN,
}
