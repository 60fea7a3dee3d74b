"""What right answers to ``six_people.tsv`` say, from the truth of the videos; several where words are vague."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from truth.readings import (
    NO,
    TEXT,
    Expected,
    Reading,
    Value,
    best,
    count,
    difference,
    each,
    lengths,
    names,
    number,
    part,
    per_minute,
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
    all_objects,
    downs,
    earliest,
    first_from,
    first_of,
    follows,
    given,
    handled,
    held,
    held_bouts,
    last_before,
    mean,
    most,
    near,
    next_lags,
    not_during,
    picks,
    starts,
    touching,
    whole,
)
from truth.room_truth import (
    PEOPLE,
    RoomTruth,
    Span,
    both,
    bouts,
    cut,
    total,
    union,
    weighted_mean,
    without,
)

_EPS = 1e-6


def _lead_followed(within: float) -> Reading:
    def of(t: RoomTruth) -> bool:
        return any(follows(downs(t, C, n), picks(t, A, n), within) for n in t.objects)

    return yes(of)


def _near_after_she_came(t: RoomTruth) -> bool:
    return bool(follows(t.moments("enters", A), starts(near(t), at_zero=False), 5))


def _handled_in_half(of: Callable[[RoomTruth, str], list[Span]]) -> Reading:
    return each(lambda t: float(sum(bool(cut(of(t, n), (0.0, t.duration_s / 2))) for n in t.objects)))


def _first_giver(t: RoomTruth) -> Value:
    return earliest({w: first_of(given(t, w)) for w in PEOPLE})


def _after_the_book(t: RoomTruth) -> Value:
    books = given(t, None, None, "book")
    if not books:
        return None
    later = {n: first_of([x for x in given(t, None, None, n) if x > books[0]]) for n in t.objects}
    return earliest(later)


def _given_then_down(t: RoomTruth) -> float:
    found = 0
    for n in t.objects:
        times = given(t, A, C, n)
        found += len(next_lags(times, downs(t, C, n)))
    return float(found)


def _entered_first(t: RoomTruth) -> bool:
    she, child = first_of(t.moments("enters", A)), first_of(t.moments("enters", C))
    return she is not None and child is not None and she < child


def _new_to_child(t: RoomTruth) -> bool:
    return any(not any(b < x for b, _ in held(t, C, n)) for n in t.objects for x in downs(t, A, n))


def _left_without_giving(t: RoomTruth) -> bool:
    return any(last_before(given(t, A, C), x) is None for x in t.moments("leaves", A))


def _ball_waited(t: RoomTruth, *, from_zero: bool) -> Value:
    seen = [b for b in starts(t.visible("ball")) if from_zero or b > _EPS]
    taken = first_of(picks(t, C, "ball"))
    if not seen or taken is None:
        return None
    return taken - seen[0] if taken >= seen[0] else None


def _two_held(t: RoomTruth) -> bool:
    spans = [s for _, s in sorted(t.held_objects(C).items())]
    return any(both(x, y) for i, x in enumerate(spans) for y in spans[i + 1 :])


def _pick_to_down(t: RoomTruth) -> Value:
    first, last = first_of(picks(t, A)), max(downs(t, C), default=None)
    return None if first is None or last is None else last - first


def _held_after_gift(t: RoomTruth) -> list[Span]:
    found = []
    for n in t.objects:
        times = given(t, A, C, n)
        found += [s for s in held_bouts(t, C, n) if any(abs(s[0] - x) < 0.15 for x in times)]
    return union(found)


def _gave_back(t: RoomTruth) -> bool:
    return any(y > x for n in t.objects for x in given(t, A, C, n) for y in given(t, C, A, n))


def _children(t: RoomTruth) -> float:
    return float(sum(name == C for name in t.names.values()))


def _gap_sd(ts: Truths) -> float | None:
    pairs = [p for t in ts for p in t.gaps(C, A)]
    middle = weighted_mean(pairs)
    if middle is None:
        return None
    return float(sum(w * (x - middle) ** 2 for w, x in pairs) / sum(w for w, _ in pairs)) ** 0.5


def _most_toys(t: RoomTruth) -> float:
    return float(max(sum(o["category"] not in PEOPLE for o in objects) for _, _, objects in t.frames))


def _events(t: RoomTruth) -> list[object]:
    return list(t.content["events"])


def _put_down_within(of: Callable[[RoomTruth, str], float]) -> Reading:
    return share(lambda t: sum(of(t, n) for n in t.objects), lambda t: float(len(picks(t, C))))


def _middle_x(t: RoomTruth, name: str, time_s: float) -> list[float]:
    return [
        (o["box_xyxy"][0] + o["box_xyxy"][2]) / 2
        for b, e, objects in t.frames
        if b - _EPS <= time_s < e - _EPS
        for o in objects
        if o["category"] == name
    ]


def _she_is_left(*, unseen: bool | None) -> Reading:
    def of(t: RoomTruth) -> Value:
        she, child = _middle_x(t, A, 15.0), _middle_x(t, C, 15.0)
        return any(x < y for x in she for y in child) if she and child else unseen

    return each(of, "yes_no")


def _longest_apart(base: Callable[[RoomTruth], list[Span]]) -> Reading:
    return lengths(lambda t: not_during(base(t), touching(t)), most)


def _apart_between(t: RoomTruth) -> list[Span]:
    spans = bouts(touching(t))
    return without((spans[0][0], spans[-1][1]), spans) if spans else []


def _returned(t: RoomTruth) -> float:
    left = t.moments("leaves", A)
    return float(sum(any(x < y for x in left) for y in t.moments("enters", A)))


def _returned_where_left(ts: Truths) -> Expected:
    values = {t.video_id: _returned(t) if t.moments("leaves", A) else None for t in ts}
    return Expected("number", values, sum(x for x in values.values() if x is not None))


def _first_handled(t: RoomTruth) -> Value:
    return earliest({n: first_of([b for b, _ in handled(t, C, n)]) for n in t.objects})


def _first_picked(t: RoomTruth) -> Value:
    return earliest({n: first_of(picks(t, C, n)) for n in t.objects})


def _held_kinds_given(ts: Truths) -> float | None:
    kinds = [n for n in all_objects(ts) if any(held(t, C, n) for t in ts)]
    return sum(any(given(t, A, C, n) for t in ts) for n in kinds) / len(kinds) if kinds else None


def _same_toy_down(t: RoomTruth) -> list[float]:
    return [x for n in sorted(t.objects) for x in next_lags(picks(t, C, n), downs(t, C, n))]


def _any_down(t: RoomTruth) -> list[float]:
    return next_lags(picks(t, C), downs(t, C))


def _untouched(ts: Truths) -> frozenset[str]:
    return frozenset(n for n in all_objects(ts) if not any(handled(t, w, n) for t in ts for w in PEOPLE))


def _untouched_of(t: RoomTruth) -> bool:
    return any(not handled(t, w, n) and not handled(t, v, n) for n in t.objects for w, v in [PEOPLE])


def _same_held(t: RoomTruth) -> list[Span]:
    return [s for n in t.objects for s in both(held(t, C, n), held(t, A, n))]


def _book_before_gift(t: RoomTruth) -> list[Span]:
    times = given(t, C, None, "book")
    return [s for s in held_bouts(t, C, "book") if any(abs(s[1] - x) < 0.15 for x in times)]


def _book_s(ts: Truths) -> Expected:
    values = {t.video_id: total(_book_before_gift(t)) if given(t, C, None, "book") else None for t in ts}
    return Expected("number", values, sum(x for x in values.values() if x is not None))


def _down_after_leaving(within: float) -> Reading:
    return count(lambda t: [y for y in downs(t, A) if any(x <= y <= x + within for x in t.moments("leaves", C))])


def _came_to_first(of: Callable[[RoomTruth], list[float]]) -> Callable[[RoomTruth], Value]:
    def lag(t: RoomTruth) -> Value:
        came = first_of(t.moments("enters", A))
        got = None if came is None else first_from(of(t), came)
        return None if came is None or got is None else got - came

    return lag


def _touches_hers(t: RoomTruth) -> bool:
    return any(both(t.related("in_contact", C, n), held(t, A, n)) for n in t.objects)


def _near_car(ts: Truths) -> bool:
    return sum(total(t.related("near", C, "car")) for t in ts) > 0.5 * sum(t.duration_s for t in ts)


def _near_car_of(t: RoomTruth) -> bool:
    return total(t.related("near", C, "car")) > 0.5 * t.duration_s


SIX: Mapping[str, Reading | list[Reading]] = {
    "K001": seconds(touching),
    "K002": lengths(lambda t: bouts(near(t)), mean),
    "K003": [count(lambda t: bouts(near(t))), count(lambda t: starts(near(t), at_zero=False)), NO],
    "K004": [_lead_followed(5), _lead_followed(10_000), NO],
    "K005": share(lambda t: float(len(given(t, C))), lambda t: float(len(given(t)))),
    "K006": refused("gaze"),
    "K007": refused("gaze"),
    "K008": [yes(_near_after_she_came), each(_near_after_she_came, "yes_no")],
    "K009": [seconds(lambda t: held(t, C, "block")), seconds(lambda t: handled(t, C, "block")), NO],
    "K010": [_handled_in_half(lambda t, n: held(t, C, n)), _handled_in_half(lambda t, n: handled(t, C, n))],
    "K011": refused("speech", "sound"),
    "K012": refused("naming", "speech", "sound"),
    "K013": refused("speech", "sound"),
    "K014": each(_first_giver, "names"),
    "K015": each(_after_the_book, "names"),
    "K016": sum_of(_given_then_down),
    "K017": TEXT,
    "K018": number(lambda ts: float(sum(map(_entered_first, ts)))),
    "K019": yes(lambda t: bool(not_during(held(t, C), t.visible(A)))),
    "K020": yes(_new_to_child),
    "K021": yes(_left_without_giving),
    "K022": [
        each(lambda t: _ball_waited(t, from_zero=False)),
        each(lambda t: _ball_waited(t, from_zero=True)),
    ],
    "K023": [yes(_two_held), NO],
    "K024": [TEXT, NO],
    "K025": each(_pick_to_down),
    "K026": part(lambda t: without(whole(t), t.visible(A))),
    "K027": seconds(_held_after_gift),
    "K028": yes(_gave_back),
    "K029": lengths(lambda t: held_bouts(t, C), lambda values: min(values, default=None)),
    "K030": difference(lambda t: total(held(t, C, "block")), lambda t: total(held(t, C, "ball"))),
    "K031": [each(_children), sum_of(_children)],
    "K032": number(_gap_sd),
    "K033": [number(lambda ts: max(map(_most_toys, ts))), each(_most_toys)],
    "K034": TEXT,
    "K035": per_minute(_events),
    "K036": count(lambda t: [1 for b, e in bouts(near(t)) if e - b < 2 - _EPS]),
    "K037": [
        _put_down_within(lambda t, n: float(follows(picks(t, C, n), downs(t, C, n), 5))),
        share(lambda t: float(follows(picks(t, C), downs(t, C), 5)), lambda t: float(len(picks(t, C)))),
    ],
    "K038": [
        _longest_apart(lambda t: [whole(t)]),
        _longest_apart(lambda t: t.visible(C, A)),
        lengths(_apart_between, most),
    ],
    "K039": best(lambda t, n: total(t.visible(n)), "objects", 99),
    # Place is no part of the stores that are made of the truth.
    "K040": [_she_is_left(unseen=None), _she_is_left(unseen=False), refused("place")],
    "K041": seconds(lambda t: t.visible(C, A)),
    "K042": [
        best(lambda t, w: float(len(given(t, w))), "people"),
        best(lambda t, w: float(len(downs(t, w))), "people"),
    ],
    # Who never left cannot come back.
    "K043": [sum_of(_returned), _returned_where_left],
    "K044": [each(_first_handled, "names"), each(_first_picked, "names")],
    "K045": [
        number(_held_kinds_given),
        share(
            lambda t: float(len(given(t, A, C))),
            lambda t: float(len(held_bouts(t, C))),
        ),
    ],
    "K046": says(lambda ts: total(held(ts[0], C, "ball")) > total(held(ts[1], C, "ball"))),
    "K047": [number(lambda ts, of=of: mean([x for t in ts for x in of(t)])) for of in (_same_toy_down, _any_down)],  # type: ignore[misc]
    "K048": [says(lambda ts: bool(_untouched(ts))), names(_untouched), each(_untouched_of, "yes_no")],
    "K049": [
        part(lambda t: without(whole(t), near(t))),
        part(lambda t: without(whole(t), near(t)), lambda t: t.visible(C)),
        part(lambda t: not_during(t.visible(C), near(t))),
    ],
    "K050": refused("judg", "sensitiv", "vurder"),
    "K051": count(_same_held),
    "K052": best(lambda t, w: total(t.visible(w)), "people"),
    "K053": best(lambda t, n: float(len(given(t, None, None, n))), "objects"),
    # Where there is no book, or it is not handed over, there is nothing before that.
    "K054": [seconds(_book_before_gift), _book_s],
    "K055": [_down_after_leaving(x) for x in (1, 2, 3, 5, 10)],
    "K056": [says(_near_car), each(_near_car_of, "yes_no")],
    "K057": refused("gaze", "blikk"),
    "K058": [
        each(_came_to_first(lambda t: given(t, A, C))),
        each(_came_to_first(lambda t: given(t, None, C))),
        each(_came_to_first(lambda t: [*given(t, None, C), *picks(t, C)])),
    ],
    "K059": yes(_touches_hers),
    "K060": refused("reason", "grunn"),
}
