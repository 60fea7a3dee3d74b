"""What right answers to ``seven_people.tsv`` say, from the truth of the videos; several where words are vague."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

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
    gap,
    how_many,
    lengths,
    mean_gap,
    more,
    n_toys,
    names,
    number,
    one_video,
    part,
    refused,
    says,
    seconds,
    share,
    yes,
)
from truth.room_quantities import (
    A,
    C,
    Truths,
    all_objects,
    at,
    begin,
    downs,
    earliest,
    ever,
    first_from,
    first_of,
    follows,
    given,
    handled,
    held,
    held_bouts,
    largest,
    last_before,
    latest,
    mean,
    most,
    near,
    next_lags,
    not_during,
    picks,
    standard_deviation,
    starts,
    touching,
    whole,
)
from truth.room_truth import PEOPLE, RoomTruth, Span, both, bouts, cut, holds_at, median, total, union, without

_EPS = 1e-6


def _by_toy(
    first: Callable[[RoomTruth, str], list[float]], then: Callable[[RoomTruth, str], list[float]], within: float
) -> Callable[[RoomTruth], int]:
    """How many moments of a toy are followed by one of the same toy."""
    return lambda t: sum(follows(first(t, n), then(t, n), within) for n in t.objects)


def _picked_after_down(t: RoomTruth) -> list[float]:
    return [u for n in t.objects for u in picks(t, A, n) if any(u - 3 - _EPS <= d <= u for d in downs(t, C, n))]


def _near_since_arrival(t: RoomTruth) -> Value:
    came = first_of(t.moments("enters", A))
    if came is None:
        return None
    if holds_at(near(t), came):
        return 0.0
    first = first_from(starts(near(t)), came)
    return None if first is None else first - came


def _first_near(t: RoomTruth) -> Value:
    came, first = first_of(t.moments("enters", A)), begin(near(t))
    return None if came is None or first is None or first < came else first - came


def _next_near(t: RoomTruth) -> Value:
    came = first_of(t.moments("enters", A))
    first = None if came is None else first_from(starts(near(t)), came)
    return None if came is None or first is None else first - came


def _held_in(first_s: float, last_s: float, *, each_toy: bool) -> Callable[[RoomTruth], float]:
    def of(t: RoomTruth) -> float:
        spans = t.held_objects(C).values() if each_toy else [held(t, C)]
        return sum(total(cut(s, (first_s, last_s))) for s in spans)

    return of


def _any_toy(of: Callable[[RoomTruth, str], list[Span]]) -> Callable[[RoomTruth], list[Span]]:
    return lambda t: union([s for n in t.objects for s in of(t, n)])


def _touched(t: RoomTruth, who: str, n: str) -> list[Span]:
    return t.related("in_contact", who, n)


_TOUCHED: list[Callable[[RoomTruth], list[Span]]] = [
    _any_toy(lambda t, n: handled(t, C, n)),
    _any_toy(lambda t, n: _touched(t, C, n)),
]
_UNTOUCHED = [
    *(lengths(lambda t, of=of: without(whole(t), of(t)), most) for of in _TOUCHED),  # type: ignore[misc]
    *(lengths(lambda t, of=of: not_during(t.visible(C), of(t)), most) for of in _TOUCHED),  # type: ignore[misc]
]


def _kinds_picked(ts: Truths) -> frozenset[str]:
    return largest({w: float(len({n for t in ts for _, n in t.events_with_object("picks_up", w)})) for w in PEOPLE})


def _kinds_by_video(ts: Truths) -> frozenset[str]:
    kinds = {w: sum(len({n for _, n in t.events_with_object("picks_up", w)}) for t in ts) for w in PEOPLE}
    return largest({w: float(k) for w, k in kinds.items()})


def _down_after_pick(t: RoomTruth) -> list[float]:
    return [d for d in downs(t, C) if any(d - 2 - _EPS <= u <= d for u in picks(t, A))]


def _gap_while_holding(ts: Truths) -> Expected:
    return mean_gap({t.video_id: [p for s in held(t, C) for p in t.gaps(C, A, s)] for t in ts})


def _with_her_holding(t: RoomTruth) -> list[Span]:
    return [s for s in held_bouts(t, C) if both([s], held(t, A))]


def _spread(ddof: int) -> Reading:
    def of(ts: Truths) -> bool | None:
        child, adult = (standard_deviation([e - b for t in ts for b, e in held_bouts(t, w)], ddof) for w in (C, A))
        return None if child is None or adult is None else child > adult

    return says(of)


def _second_pick(t: RoomTruth) -> Value:
    found = t.events_with_object("picks_up", C)
    return frozenset({found[1][1]}) if len(found) > 1 else None


def _out_of_view(t: RoomTruth) -> list[Span]:
    return without(whole(t), t.visible(A))


def _came_back(t: RoomTruth) -> bool:
    return any(x < y for x in t.moments("leaves", A) for y in t.moments("enters", A))


def _returned(ts: Truths) -> Expected:
    """Who never left cannot come back."""
    return Expected("yes_no", {t.video_id: _came_back(t) if t.moments("leaves", A) else None for t in ts})


def _again(t: RoomTruth) -> list[float]:
    return next_lags(downs(t, C), picks(t, C))


def _same_again(t: RoomTruth) -> list[float]:
    return [x for n in sorted(t.objects) for x in next_lags(downs(t, C, n), picks(t, C, n))]


def _empty(t: RoomTruth, base: list[Span]) -> bool:
    return any(e - b >= 10 - _EPS for b, e in not_during(base, held(t, C)))


def _last_pick(of: Callable[[RoomTruth, str], list[float]]) -> Reading:
    def name(t: RoomTruth) -> Value:
        left = t.moments("leaves", A)
        if not left:
            return None
        return latest({n: last_before(of(t, n), left[-1]) for n in t.objects}) or None

    return each(name, "names")


def _at_once(ts: Truths) -> Expected:
    values = {t.video_id: max(float(len(at(t, C, b))) for b, _, _ in t.frames) for t in ts}
    return Expected("number", {}, max(values.values()))


def _kept_apart(t: RoomTruth) -> list[Span]:
    return not_during(both(held(t, C), near(t)), touching(t))


def _since_arrival(t: RoomTruth) -> float | None:
    came = first_of(t.moments("enters", A))
    got = None if came is None else first_from(picks(t, C), came)
    return None if came is None or got is None else got - came


def _first_since_arrival(t: RoomTruth) -> float | None:
    came, got = first_of(t.moments("enters", A)), first_of(picks(t, C))
    return None if came is None or got is None or got < came else got - came


def _average(of: Callable[[RoomTruth], float | None]) -> Reading:
    return number(lambda ts: mean([x for x in map(of, ts) if x is not None]))


def _untouched(of: Callable[[RoomTruth, str, str], list[Span]]) -> Callable[[Truths, str], bool]:
    return lambda ts, n: not ever(ts, lambda t: any(of(t, w, n) for w in PEOPLE))


def _pick_span(at_least: int) -> Callable[[RoomTruth], Value]:
    def of(t: RoomTruth) -> Value:
        times = [x for w in PEOPLE for x in picks(t, w)]
        return max(times) - min(times) if len(times) >= at_least else None

    return of


def _longest_bout(of: Callable[[RoomTruth, str], list[Span]]) -> Reading:
    return names(
        lambda ts: largest({n: max([e - b for t in ts for b, e in of(t, n)], default=0.0) for n in all_objects(ts)})
    )


def _bouts_of_anybody(t: RoomTruth, n: str) -> list[Span]:
    return [s for w in PEOPLE for s in held_bouts(t, w, n)]


def _given_soon(t: RoomTruth) -> list[float]:
    return [x for n in t.objects for x in given(t, C, A, n) if any(x - 5 - _EPS <= u <= x for u in picks(t, C, n))]


def _both_held(t: RoomTruth) -> bool:
    return bool(both(held(t, A, "block"), held(t, A, "book")))


def _car_lags(t: RoomTruth) -> Value:
    return first_of(next_lags(downs(t, C, "car"), picks(t, A, "car")))


def _in_last(t: RoomTruth) -> frozenset[str]:
    window = (t.duration_s - 5.0, t.duration_s)
    return frozenset(n for n, spans in t.held_objects(C).items() if cut(spans, window))


def _touch_starts(window_s: float, *, at_zero: bool) -> Reading:
    return count(lambda t: [b for b in starts(touching(t), at_zero=at_zero) if b < window_s])


def _came_first(t: RoomTruth) -> Value:
    she, child = first_of(t.moments("enters", A)), first_of(t.moments("enters", C))
    return None if she is None or child is None else she < child


def _seen_first(t: RoomTruth) -> Value:
    return earliest({w: begin(t.visible(w)) for w in PEOPLE}) == {A}


def _only(place: int, reading: Reading) -> Reading:
    """What is right of one video."""

    def of(ts: Truths) -> Expected:
        return replace(reading([ts[place]]), together="")

    return of


SEVEN: Mapping[str, Reading | list[Reading]] = {
    "L001": part(lambda t: both(held(t, C), near(t))),
    "L002": count(_picked_after_down),
    "L003": lengths(lambda t: held_bouts(t, C), median),
    "L004": refused("gaze"),
    "L005": [
        share(
            lambda t: float(_by_toy(lambda t, n: picks(t, A, n), lambda t, n: given(t, A, C, n), 5)(t)),
            lambda t: float(len(picks(t, A))),
        ),
        share(lambda t: float(follows(picks(t, A), given(t, A, C), 5)), lambda t: float(len(picks(t, A)))),
    ],
    "L006": part(near, lambda t: t.visible(C, A)),
    "L007": [each(_near_since_arrival), each(_first_near), each(_next_near)],
    "L008": refused("naming", "speech", "sound"),
    "L009": refused("speech", "sound"),
    "L010": [
        more(_held_in(10.0, 20.0, each_toy=each_toy), _held_in(0.0, 10.0, each_toy=each_toy))
        for each_toy in (False, True)
    ],
    "L011": _UNTOUCHED,
    "L012": refused("gaze"),
    "L013": [names(_kinds_picked), names(_kinds_by_video)],
    "L014": count(_down_after_pick),
    "L015": _gap_while_holding,
    "L016": count(_with_her_holding),
    "L017": [_spread(1), _spread(0)],
    "L018": one_video(0, _second_pick, "names"),
    "L019": [
        part(lambda t: held(t, C), _out_of_view),
        seconds(lambda t: both(held(t, C), _out_of_view(t))),
    ],
    "L020": yes(lambda t: any(e - b > 5 + _EPS for b, e in without(whole(t), held(t, None)))),
    "L021": seconds(lambda t: t.alone(C)),
    "L022": count(lambda t: t.moments("leaves", A)),
    "L023": [yes(_came_back), _returned],
    "L024": [
        number(lambda ts, how=how, of=of: how([x for t in ts for x in of(t)]))  # type: ignore[misc]
        for how in (mean, median)
        for of in (_again, _same_again)
    ],
    "L025": [yes(lambda t: _empty(t, [whole(t)])), yes(lambda t: _empty(t, t.visible(C)))],
    "L026": gap(whole, lambda pairs: min((g for _, g in pairs), default=None)),
    "L027": [
        _touch_starts(10.0, at_zero=True),
        _touch_starts(10.0, at_zero=False),
        count(lambda t: bouts(cut(touching(t), (0.0, 10.0)))),
    ],
    "L028": seconds(lambda t: held(t, C, "block")),
    "L029": seconds(lambda t: held(t, A, "block")),
    "L030": _only(1, seconds(lambda t: held(t, A, "block"))),
    "L031": [
        _last_pick(lambda t, n: [x for w in PEOPLE for x in picks(t, w, n)]),
        _last_pick(lambda t, n: picks(t, A, n)),
    ],
    "L032": _at_once,
    "L033": [*n_toys(lambda t, n: given(t, None, None, n)), count(given)],
    "L034": yes(lambda t: bool(_kept_apart(t))),
    "L035": [_average(_since_arrival), _average(_first_since_arrival)],
    "L036": [
        how_many(_untouched(handled)),
        how_many(_untouched(_touched)),
    ],
    "L037": best_video(lambda t: float(len(given(t)))),
    "L038": share(lambda t: float(len(given(t, C, A))), lambda t: float(len(given(t)))),
    "L039": [each(_pick_span(n)) for n in (1, 2)],
    "L040": refused("feel", "calm", "judg"),
    "L041": seconds(lambda t: both(held(t, C), _out_of_view(t))),
    "L042": best(lambda t, w: float(len(downs(t, w))), "people"),
    "L043": part(lambda t: not_during(near(t), touching(t))),
    "L044": [
        _longest_bout(_bouts_of_anybody),
        _longest_bout(lambda t, n: bouts(held(t, None, n))),
        # The answer gives the time as its value, and the toy in words.
        number(lambda ts: most([e - b for t in ts for n in t.objects for b, e in bouts(held(t, None, n))])),
    ],
    "L045": count(_given_soon),
    "L046": yes(_both_held),
    "L047": [each(_car_lags), number(lambda ts: mean([x for t in ts if isinstance(x := _car_lags(t), float)]))],
    "L048": [each(_in_last, "names"), chosen(lambda ts, n: ever(ts, lambda t: n in _in_last(t)))],
    "L049": [_touch_starts(60.0, at_zero=True), _touch_starts(60.0, at_zero=False)],
    "L050": lengths(lambda t: held_bouts(t, C), lambda values: min(values, default=None)),
    "L051": refused("attach", "judg", "tilknyt", "vurder", "secur", "følel"),
    "L052": _only(0, seconds(lambda t: t.alone(C))),
    "L053": _only(1, seconds(lambda t: t.alone(C))),
    "L054": refused("gaze", "blikk", "tale", "lyd", "speech", "sound", "naming"),
    "L055": seconds(lambda t: held(t, C, "teddy bear")),
    "L056": best(lambda t, w: float(len(picks(t, w))), "people"),
    "L057": count(lambda t: [1 for b, e in bouts(near(t)) if e - b > 2 + _EPS]),
    "L058": [
        chosen(_untouched(handled)),
        chosen(_untouched(_touched)),
    ],
    # Who is there from the begin does not come in.
    "L059": [each(_came_first, "yes_no"), each(_seen_first, "yes_no"), NO],
    "L060": part(lambda t: without(whole(t), held(t, None))),
}
