"""What a right answer to each question of the list says, from the truth of the videos."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from truth.readings import (
    Expected,
    Value,
    each,
    mean_gap,
    names,
    refused,
    share,
    sum_of,
)
from truth.room_quantities import (
    Truths,
    all_objects,
    held_total,
    largest,
    mean_gaps_of_halves,
)
from truth.room_truth import (
    PEOPLE,
    RoomTruth,
    both,
    bouts,
    cut,
    holds_at,
    median,
    total,
    union,
    without,
)


def _never_touched(truths: Truths) -> frozenset[str]:
    def touched(name: str) -> bool:
        return any(
            t.related("in_contact", who, name) or t.related("holding", who, name) for t in truths for who in PEOPLE
        )

    return frozenset(name for name in all_objects(truths) if not touched(name))


def _both_held(truths: Truths) -> frozenset[str]:
    held = [{n for n, s in held_total(truths, who).items() if s > 0} for who in PEOPLE]
    return frozenset(held[0] & held[1])


def _a08(t: RoomTruth) -> Value:
    ends = t.releases("child", "car")
    return ends[1] if len(ends) > 1 else None


def _a09(t: RoomTruth) -> Value:
    downs = [time for time, name in t.events_with_object("puts_down", "child") if name == "ball"]
    if not downs:
        return None
    later = [(time, name) for time, name in t.events_with_object("picks_up", "child") if time >= downs[0]]
    return frozenset({later[0][1]}) if later else frozenset()


def _a10(t: RoomTruth) -> float:
    starts = [b for b, _ in bouts(t.related("in_contact", "caregiver", "ball"))]
    return float(sum(any(r <= s < r + 3 for r in t.releases("child", "ball")) for s in starts))


def _a11(truths: Truths) -> Expected:
    def counts(t: RoomTruth) -> tuple[int, int]:
        near = [b for b, _ in bouts(t.related("near", "caregiver", "child"))]
        picks = t.moments("picks_up", "child", None)
        return sum(any(p < n <= p + 5 for n in near) for p in picks), len(picks)

    table = {t.video_id: counts(t) for t in truths}
    hits, base = (sum(pair[i] for pair in table.values()) for i in (0, 1))
    return Expected("number", {v: k / n if n else None for v, (k, n) in table.items()}, hits / base if base else None)


def _exactly_one(t: RoomTruth) -> float:
    child, adult = (t.related("holding", who, "ball") for who in PEOPLE)
    return total(child) + total(adult) - 2 * total(both(child, adult))


def _a16(truths: Truths) -> Expected:
    lengths = {
        n: max((e - b for t in truths for b, e in bouts(t.related("holding", "child", n))), default=0.0)
        for n in all_objects(truths)
    }
    return Expected("number", {}, max(lengths.values(), default=0.0))


def _at(t: RoomTruth, who: str, time_s: float) -> frozenset[str]:
    return frozenset(n for n, spans in t.held_objects(who).items() if holds_at(spans, time_s))


def _a19(truths: Truths) -> Expected:
    first, second = mean_gaps_of_halves(truths)
    return Expected("yes_no", together=None if first is None or second is None else first < second)


def _a20(truths: Truths) -> frozenset[str]:
    return largest({t.video_id: total(t.related("near", "child", "caregiver")) for t in truths})


def _a24(truths: Truths) -> Expected:
    lags = []
    for t in truths:
        for name in t.objects:
            downs = [x for x, n in t.events_with_object("puts_down", "caregiver") if n == name]
            ups = [x for x, n in t.events_with_object("picks_up", "child") if n == name]
            for i, down in enumerate(downs):
                until = downs[i + 1] if i + 1 < len(downs) else float("inf")
                later = [u for u in ups if down <= u < until]
                lags += [later[0] - down] if later else []
    return Expected("number", {}, median(lags))


def _a30(t: RoomTruth) -> float:
    count = 0
    for time, name in t.events_with_object("picks_up", "child"):
        downs = [x for x, n in t.events_with_object("puts_down", "caregiver") if n == name]
        count += any(x <= time for x in downs)
    return float(count)


def _a31(t: RoomTruth) -> Value:
    last = {who: max(t.releases(who, "ball"), default=-1.0) for who in PEOPLE}
    return frozenset(k for k, v in last.items() if v >= 0 and v == max(last.values()))


def _a35(t: RoomTruth) -> Value:
    near = t.related("near", "caregiver", "child")
    return near[0][0] if near else None


def _two_held(t: RoomTruth) -> float:
    spans = [s for _, s in sorted(t.held_objects("child").items())]
    pairs = [both(a, b) for i, a in enumerate(spans) for b in spans[i + 1 :]]
    return total(union([s for pair in pairs for s in pair]))


def _a37(truths: Truths) -> frozenset[str]:
    return largest({who: float(sum(len(t.moments("hands_over", who)) for t in truths)) for who in PEOPLE})


def _a38(truths: Truths) -> Expected:
    held = [sum(total(t.related("holding", who)) for t in truths) for who in ("caregiver", "child")]
    return Expected("number", {}, held[0] - held[1])


def _a39(t: RoomTruth) -> Value:
    held = t.related("holding", "child", "ball")
    return total(cut(t.visible("ball"), (held[0][0], t.duration_s))) if held else None


def _a15(truths: Truths) -> frozenset[str]:
    return largest(held_total(truths, "child"), 3)


def _never_held(truths: Truths) -> frozenset[str]:
    return frozenset(name for name, seconds in held_total(truths, "child").items() if seconds == 0)


def _gap(truths: Truths) -> Expected:
    return mean_gap({t.video_id: t.gaps("child", "caregiver") for t in truths})


def _near_while_holding(t: RoomTruth) -> float:
    return total(both(t.related("near", "child", "caregiver"), t.related("holding", "child")))


ANSWERS: Mapping[str, Callable[[Truths], Expected]] = {
    "A01": names(lambda ts: largest(held_total(ts, "child"))),
    "A02": sum_of(lambda t: float(len(t.moments("hands_over", "caregiver", "child")))),
    "A03": _gap,
    "A04": names(_never_touched),
    "A05": share(lambda t: total(t.alone("child")), lambda t: t.duration_s),
    "A06": lambda _: Expected("text"),
    "A07": refused("gaze"),
    "A08": each(_a08),
    "A09": each(_a09, "names"),
    "A10": sum_of(_a10),
    "A11": _a11,
    "A12": names(_both_held),
    "A13": sum_of(lambda t: total(without((0.0, t.duration_s), t.related("holding")))),
    "A14": sum_of(_exactly_one),
    "A15": names(_a15),
    "A16": _a16,
    "A17": each(lambda t: _at(t, "child", t.duration_s - 1e-3), "names"),
    "A18": each(lambda t: holds_at(t.related("near", "caregiver", "child"), 12.5), "yes_no"),
    "A19": _a19,
    "A20": names(_a20),
    "A21": share(lambda t: 60.0 * len(t.moments("picks_up", "child")), lambda t: t.duration_s),
    "A22": sum_of(lambda t: total(t.at_least_people(2))),
    "A23": sum_of(
        lambda t: float(sum(e - b > 3 + 1e-6 for spans in t.held_objects("child").values() for b, e in bouts(spans)))
    ),
    "A24": _a24,
    "A25": refused("girl"),
    "A26": refused("feeling"),
    "A27": refused("speech", "sound"),
    "A28": sum_of(lambda t: total(t.alone("child"))),
    "A29": names(_never_held),
    "A30": sum_of(_a30),
    "A31": each(_a31, "names"),
    "A32": share(_near_while_holding, lambda t: total(t.related("holding", "child"))),
    "A33": lambda _: Expected("text"),
    "A34": sum_of(lambda t: float(len(t.moments("hands_over", "child", "caregiver")))),
    "A35": each(_a35),
    "A36": lambda truths: Expected("yes_no", together=sum(map(_two_held, truths)) > 0),
    "A37": names(_a37),
    "A38": _a38,
    "A39": each(_a39),
    "A40": refused("judge", "normal", "development"),
}
