"""What a right answer to each question of ``development.tsv`` says, from the truth of the videos."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from truth.readings import (
    Expected,
    Value,
    each,
    mean_gap,
    more,
    names,
    refused,
    says,
    share,
    sum_of,
)
from truth.room_quantities import (
    Truths,
    all_objects,
    held_s,
    held_total,
    largest,
)
from truth.room_truth import (
    PEOPLE,
    RoomTruth,
    both,
    bouts,
    holds_at,
    total,
    union,
)

_EPS = 1e-6


def _lags(t: RoomTruth, giver: str, taker: str) -> list[float]:
    """From each put-down of an object by one to the next pick-up of it by the other, before the next put-down."""
    found = []
    for name in sorted(t.objects):
        downs = [x for x, n in t.events_with_object("puts_down", giver) if n == name]
        ups = [x for x, n in t.events_with_object("picks_up", taker) if n == name]
        for down, until in zip(downs, [*downs[1:], float("inf")], strict=False):
            found += [up - down for up in ups if down < up < until][:1]
    return found


def _mean_lag(giver: str, taker: str) -> Callable[[Truths], Expected]:
    def expected(truths: Truths) -> Expected:
        lags = [lag for t in truths for lag in _lags(t, giver, taker)]
        return Expected("number", {}, sum(lags) / len(lags) if lags else None)

    return expected


def _mean_bout(truths: Truths) -> Expected:
    lengths = [e - b for t in truths for b, e in bouts(t.related("holding", "child", "ball"))]
    return Expected("number", {}, sum(lengths) / len(lengths) if lengths else None)


def _held_by_anyone(truths: Truths) -> frozenset[str]:
    return largest({n: sum(total(t.related("holding", None, n)) for t in truths) for n in all_objects(truths)})


def _most_pick_ups(truths: Truths) -> frozenset[str]:
    return largest({who: float(sum(len(t.moments("picks_up", who)) for t in truths)) for who in PEOPLE})


def _first_name(found: list[tuple[float, str]]) -> Value:
    return frozenset(name for time, name in found if time == found[0][0]) if found else frozenset()


def _last_put_down(t: RoomTruth) -> Value:
    last = {who: max(t.moments("puts_down", who), default=-1.0) for who in PEOPLE}
    return frozenset(who for who, time in last.items() if time >= 0 and time == max(last.values()))


def _last_pick_up(t: RoomTruth) -> Value:
    times = [time for time, name in t.events_with_object("picks_up", "child") if name == "ball"]
    return times[-1] if times else None


def _first_held(t: RoomTruth) -> Value:
    return _first_name(sorted((spans[0][0], n) for n, spans in t.held_objects("child").items() if spans))


def _first_hold_time(t: RoomTruth) -> Value:
    held = t.related("holding", "child")
    return held[0][0] if held else None


def _picked_up_soon(t: RoomTruth) -> float:
    downs = t.events_with_object("puts_down", "child")
    ups = t.events_with_object("picks_up", "caregiver")
    return float(sum(any(n == name and 0 <= up - down < 5 for down, n in downs) for up, name in ups))


def _followed(truths: Truths) -> Expected:
    """As a share, with the count in words: how many are followed."""
    hits = base = 0
    for t in truths:
        ups = t.moments("picks_up", "caregiver")
        downs = t.moments("puts_down", "child")
        hits += sum(any(d < u <= d + 3 for u in ups) for d in downs)
        base += len(downs)
    return Expected("number", {}, hits / base if base else None)


def _after_the_car(t: RoomTruth) -> Value:
    ends = t.releases("child", "car")
    if not ends:
        return None
    return _first_name([(time, n) for time, n in t.events_with_object("picks_up", "child") if time >= ends[0]])


def _came_near(t: RoomTruth) -> float:
    picks = t.moments("picks_up", "child", None)
    starts = [b for b, _ in bouts(t.related("near", "caregiver", "child"))]
    return float(sum(any(p <= s < p + 4 for p in picks) for s in starts))


def _same_toy(t: RoomTruth) -> float:
    spans = [both(t.related("holding", "child", n), t.related("holding", "caregiver", n)) for n in sorted(t.objects)]
    return total(union([span for found in spans for span in found]))


def _near_s(t: RoomTruth) -> float:
    return total(t.related("near", "child", "caregiver"))


def _picks_in_half(*, second: bool) -> Callable[[RoomTruth], float]:
    return lambda t: float(sum((time >= t.duration_s / 2) == second for time in t.moments("picks_up", "child")))


def _n_held(truths: Truths, who: str) -> int:
    return sum(seconds > 0 for seconds in held_total(truths, who).values())


def _most_in_video(truths: Truths) -> frozenset[str]:
    return largest({t.video_id: float(len(t.moments("picks_up", "child"))) for t in truths})


def _apart(spans: list[tuple[float, float]], others: list[tuple[float, float]]) -> float:
    return total(spans) - total(both(union(spans), union(others)))


def _never_picked(truths: Truths) -> frozenset[str]:
    picked = {n for t in truths for who in PEOPLE for _, n in t.events_with_object("picks_up", who)}
    return frozenset(all_objects(truths) - picked)


def _gap_while_holding(truths: Truths) -> Expected:
    pairs = {
        t.video_id: [p for span in t.related("holding", "child") for p in t.gaps("child", "caregiver", span)]
        for t in truths
    }
    return mean_gap(pairs)


def _gap_in_half(truths: Truths) -> Expected:
    return mean_gap({t.video_id: t.gaps("child", "caregiver", (0, t.duration_s / 2)) for t in truths})


def _least_gap(truths: Truths) -> Expected:
    gaps = [gap for t in truths for _, gap in t.gaps("child", "caregiver")]
    return Expected("number", {}, min(gaps) if gaps else None)


def _picks_while_held(t: RoomTruth) -> float:
    held = t.related("holding", "caregiver")
    return float(sum(holds_at(held, time) for time in t.moments("picks_up", "child")))


def _from_child(truths: Truths) -> Expected:
    given = [(t, who) for t in truths for who in PEOPLE for _ in t.moments("hands_over", who)]
    of_child = sum(len(t.moments("hands_over", "child", "caregiver")) for t in truths)
    return Expected("number", {}, of_child / len(given) if given else None)


def _ball_held(t: RoomTruth) -> float:
    return total(both(t.visible("ball"), t.related("holding", None, "ball")))


def _alone_in_view(t: RoomTruth) -> float:
    return _apart(t.visible("child"), t.visible("caregiver"))


def _ball_far_from_caregiver(t: RoomTruth) -> float:
    return _apart(t.related("holding", "child", "ball"), t.related("near", "child", "caregiver"))


def _empty_handed(t: RoomTruth) -> float:
    return _apart(t.visible("child"), t.related("holding", "child"))


ANSWERS: Mapping[str, Callable[[Truths], Expected]] = {
    "B01": sum_of(lambda t: total(t.related("holding", "caregiver", "book"))),
    "B02": _mean_bout,
    "B03": share(lambda t: total(t.visible("ball")), lambda t: t.duration_s),
    "B04": sum_of(lambda t: total(t.related("holding", "caregiver"))),
    "B05": names(_held_by_anyone),
    "B06": names(lambda ts: largest(held_total(ts, "caregiver"))),
    "B07": names(_most_pick_ups),
    "B08": each(lambda t: _first_name(t.events_with_object("picks_up", "child")), "names"),
    "B09": each(_last_put_down, "names"),
    "B10": each(_last_pick_up),
    "B11": each(_first_held, "names"),
    "B12": _mean_lag("caregiver", "child"),
    "B13": each(_first_hold_time),
    "B14": _mean_lag("child", "caregiver"),
    "B15": sum_of(_picked_up_soon),
    "B16": _followed,
    "B17": each(_after_the_car, "names"),
    "B18": sum_of(_came_near),
    "B19": refused("gaze"),
    "B20": refused("speech", "sound"),
    "B21": refused("gaze"),
    "B22": refused("naming", "speech"),
    "B23": sum_of(_same_toy),
    "B24": more(held_s("child"), held_s("caregiver")),
    "B25": says(lambda ts: _near_s(ts[0]) > _near_s(ts[1])),
    "B26": more(_picks_in_half(second=True), _picks_in_half(second=False)),
    "B27": more(held_s("child", "ball"), held_s("child", "book")),
    "B28": names(_most_in_video),
    "B29": says(lambda ts: _n_held(ts, "child") > _n_held(ts, "caregiver")),
    "B30": sum_of(_alone_in_view),
    "B31": sum_of(_ball_far_from_caregiver),
    "B32": sum_of(_empty_handed),
    "B33": names(_never_picked),
    "B34": _gap_while_holding,
    "B35": _gap_in_half,
    "B36": _least_gap,
    "B37": sum_of(_picks_while_held),
    "B38": sum_of(lambda t: total(both(t.visible("ball"), t.related("near", "child", "caregiver")))),
    "B39": share(_ball_held, lambda t: total(t.visible("ball"))),
    "B40": _from_child,
}
