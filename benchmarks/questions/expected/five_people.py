"""What right answers to ``five_people_*.tsv`` say, from the truth of the videos; two where words mean two things."""

from __future__ import annotations

from collections.abc import Mapping

from truth.readings import (
    NO,
    Expected,
    Reading,
    Value,
    best,
    best_video,
    both_read,
    chosen,
    count,
    difference,
    each,
    gap,
    how_many,
    lengths,
    more,
    n_toys,
    names,
    number,
    part,
    per_minute,
    ratio,
    refused,
    says,
    seconds,
    share,
    sum_of,
    video_count,
    yes,
)
from truth.room_quantities import (
    A,
    C,
    Truths,
    all_objects,
    any_toy_lags,
    at,
    begin,
    downs,
    earliest,
    end,
    ever,
    first_of,
    follows,
    given,
    handled,
    held,
    held_bouts,
    held_s,
    held_total,
    largest,
    latest,
    mean,
    mean_gaps_of_halves,
    most,
    most_people,
    near,
    next_lags,
    not_during,
    picks,
    same_toy_lags,
    smallest,
    starts,
    touching,
    two_at_once,
    visible,
    whole,
)
from truth.room_truth import (
    PEOPLE,
    RoomTruth,
    Span,
    both,
    bouts,
    cut,
    holds_at,
    median,
    total,
    union,
    weighted_mean,
    without,
)

_EPS = 1e-6


def _before_her(t: RoomTruth) -> Value:
    came = t.moments("enters", "caregiver")
    return total(cut(t.visible("child"), (0.0, came[0]))) if came else None


def _in_last(t: RoomTruth, who: str, last_s: float) -> frozenset[str]:
    window = (t.duration_s - last_s, t.duration_s)
    return frozenset(n for n, spans in t.held_objects(who).items() if cut(spans, window))


def _held_window(ts: Truths, who: str, window: Span) -> frozenset[str]:
    return frozenset(n for n in all_objects(ts) if ever(ts, lambda t, n=n: cut(held(t, who, n), window)))


def _when_she_came(t: RoomTruth) -> Value:
    came = t.moments("enters", "caregiver")
    return at(t, "child", came[0]) if came else None


def _order(t: RoomTruth) -> Value:
    child, adult = (first_of(picks(t, who, "ball")) for who in PEOPLE)
    return None if child is None or adult is None else child < adult


def _anybody(t: RoomTruth) -> list[Span]:
    return t.at_least_people(1)


def _gap_halves(truths: Truths) -> bool | None:
    first, second = mean_gaps_of_halves(truths)
    return None if first is None or second is None else second < first


FIRST: Mapping[str, Reading | list[Reading]] = {
    "F001": seconds(lambda t: held(t, C)),
    "F002": count(lambda t: held_bouts(t, C)),
    "F003": lengths(lambda t: held_bouts(t, C), mean),
    "F004": part(near),
    "F005": count(lambda t: given(t, A, C)),
    "F006": n_toys(lambda t, n: held(t, C, n)),
    "F007": chosen(lambda ts, n: all(ever(ts, lambda t, w=w: held(t, w, n)) for w in PEOPLE)),
    "F008": each(lambda t: first_of(picks(t, C))),
    "F009": part(near, lambda t: held(t, C)),
    "F010": number(
        lambda ts: (lambda k, n: k / n if n else None)(
            sum(follows(picks(t, C), picks(t, A), 5) for t in ts), sum(len(picks(t, C)) for t in ts)
        )
    ),
    "F011": per_minute(lambda t: picks(t, A)),
    "F012": lengths(lambda t: bouts(touching(t)), most),
    "F013": [count(lambda t: starts(near(t))), count(lambda t: starts(near(t), at_zero=False))],
    "F014": more(held_s(C, "book"), held_s(A, "book")),
    "F015": video_count(lambda t: picks(t, C, "ball")),
    "F016": refused("gaze"),
    "F017": refused("attach", "judg", "secur"),
    "F018": [both_read(same_toy_lags, A, C, median), both_read(any_toy_lags, A, C, median)],
    "F019": seconds(lambda t: not_during(t.visible(A), t.visible(C))),
    "F020": each(_before_her),
    "F021": each(lambda t: at(t, C, t.duration_s - 1e-3), "names"),
    "F022": [
        each(lambda t: _in_last(t, A, 5.0), "names"),
        chosen(lambda ts, n: ever(ts, lambda t: n in _in_last(t, A, 5.0))),
    ],
    "F023": count(lambda t: [r for n in t.objects for r in t.releases(C, n)]),
    "F024": best(lambda t, n: len(picks(t, C, n)), "objects"),
    "F025": gap(lambda t: (t.duration_s / 2, t.duration_s), weighted_mean),
    "F026": seconds(lambda t: both(held(t, C), held(t, A))),
    "F027": seconds(lambda t: held(t, None, "ball")),
    "F028": count(lambda t: bouts(touching(t))),
    "F029": each(lambda t: total(held(t, C))),
    "F030": refused("engag", "feel", "judg"),
    "F031": refused("speech", "sound"),
    "F032": refused("naming", "speech"),
    "F033": best(lambda t, n: total(t.visible(n)), "objects"),
    # What is there from the begin has not come into view.
    "F034": [
        each(
            lambda t: earliest({n: first_of([b for b in starts(t.visible(n)) if b > 0.1]) for n in t.objects}), "names"
        ),
        each(lambda t: earliest({n: begin(t.visible(n)) for n in t.objects}), "names"),
    ],
    "F035": each(lambda t: at(t, C, 10.0), "names"),
    "F036": yes(lambda t: bool(both(held(t, C, "book"), held(t, A, "book")))),
    "F037": [
        each(lambda t: begin(held(t, C, "car"))),
        each(lambda t: first_of(picks(t, C, "car"))),
    ],
    "F038": part(lambda t: held(t, A, "ball"), lambda t: t.visible("ball")),
    "F039": chosen(lambda ts, n: sum(len(held_bouts(t, A, n)) for t in ts) > sum(len(held_bouts(t, C, n)) for t in ts)),
    "F040": each(lambda t: float(sum(holds_at(t.visible(n), 0.0) for n in t.objects))),
    "F041": count(lambda t: given(t, None, None, "cup")),
    "F042": each(lambda t: earliest({w: begin(held(t, w, "teddy bear")) for w in PEOPLE}), "names"),
    "F043": best(lambda t, w: len(given(t, w)), "people"),
    "F044": lambda _: Expected("text"),
    "F045": number(
        lambda ts: median([x for t in ts for x in next_lags(picks(t, C, "ball"), starts(near(t)))]),
    ),
    "F046": share(lambda t: float(len(given(t, A, C))), lambda t: float(len(given(t)))),
    "F047": count(lambda t: downs(t, C, "block")),
    "F048": yes(lambda t: bool(downs(t, A, "cup"))),
    "F049": chosen(lambda ts, n: not ever(ts, lambda t: picks(t, C, n))),
    "F050": chosen(lambda ts, n: ever(ts, lambda t: held(t, A, n)) and not ever(ts, lambda t: held(t, C, n))),
    "F051": refused("sound", "loud"),
    "F052": lambda _: Expected("text"),
    "F053": [
        each(lambda t: earliest({n: begin(t.related("in_contact", A, n)) for n in t.objects}), "names"),
        each(lambda t: earliest({n: begin(handled(t, A, n)) for n in t.objects}), "names"),
    ],
    "F054": lengths(lambda t: without(whole(t), held(t, None)), most),
    "F055": n_toys(lambda t, n: held(t, A, n)),
    "F056": each(_order, "yes_no"),
    "F057": video_count(lambda t: t.visible("teddy bear")),
    "F058": [
        each(_when_she_came, "names"),
        names(lambda ts: frozenset().union(*(_when_she_came(t) or () for t in ts))),
    ],
    "F059": best_video(lambda t: total(t.alone(C))),
    "F060": sum_of(lambda t: float(sum(5 <= x < 15 for x in picks(t, C)))),
    "F061": seconds(lambda t: t.alone(C)),
    "F062": yes(lambda t: bool(t.alone(C))),
    "F063": seconds(near),
    "F064": [
        each(lambda t: first_of(t.moments("leaves", A))),
        each(lambda t: max(t.moments("leaves", A), default=None)),
    ],
    "F065": count(lambda t: t.moments("leaves", A)),
    # Two children may be there with the caregiver.
    "F066": [number(lambda ts: max(map(most_people, ts))), each(most_people)],
    "F067": each(lambda t: holds_at(t.visible(A), 5.0), "yes_no"),
    "F068": seconds(lambda t: without(whole(t), _anybody(t))),
    "F069": yes(lambda t: bool(handled(t, C, "cup"))),
    "F070": seconds(lambda t: held(t, A, "book")),
    "F071": each(lambda t: earliest({n: first_of(picks(t, A, n)) for n in t.objects}), "names"),
    "F072": n_toys(lambda t, n: cut(held(t, C, n), (0.0, 10.0))),
    "F073": each(lambda t: bool(at(t, C, 0.0)), "yes_no"),
    "F074": seconds(touching),
    "F075": refused("sound", "feel", "cry"),
    "F076": refused("health", "judg"),
    "F077": refused("feel", "love"),
    "F078": refused("old", "age"),
    "F079": lambda _: Expected("text"),
    "F080": seconds(lambda t: t.visible(C, A)),
    "F081": seconds(lambda t: without(whole(t), t.visible(C))),
    "F082": seconds(_anybody),
    "F083": [count(lambda t: starts(near(t))), count(lambda t: starts(near(t), at_zero=False))],
    "F084": chosen(lambda ts, n: ever(ts, lambda t: given(t, A, C, n))),
    "F085": each(lambda t: earliest({w: begin(t.visible(w)) for w in PEOPLE}), "names"),
    "F086": best(lambda t, w: total(held(t, w, "ball")), "people"),
    "F087": says(lambda ts: sum(map(held_s(A, "ball"), ts)) > 3),
    "F088": yes(lambda t: bool(both(held(t, C), held(t, A)))),
    # Two children may be near each other.
    "F089": seconds(lambda t: not_during(held(t, C), union([*near(t), *t.related("near", C, C)]))),
    "F090": part(lambda t: without(whole(t), t.visible(A))),
    "F091": seconds(lambda t: held(t, C, "car")),
    "F092": names(lambda ts: largest(held_total(ts, C), 2) - largest(held_total(ts, C), 1)),
    "F093": n_toys(lambda t, n: t.visible(n)),
    "F094": refused("switch"),
    "F095": yes(lambda t: bool(given(t, C, A))),
    "F096": names(
        lambda ts: largest({w: float(sum(s > 0 for s in held_total(ts, w).values())) for w in PEOPLE}),
    ),
    "F097": best(lambda t, w: total(t.visible(w)), "people"),
    "F098": each(lambda t: begin(near(t))),
    "F099": gap(whole, lambda pairs: min((g for _, g in pairs), default=None)),
    "F100": [
        chosen(lambda ts, n: not ever(ts, lambda t: picks(t, C, n) + picks(t, A, n))),
        says(lambda ts: any(not ever(ts, lambda t, n=n: picks(t, C, n) + picks(t, A, n)) for n in all_objects(ts))),
    ],
    "F101": difference(
        lambda t: float(len(picks(t, C, "teddy bear"))), lambda t: float(len(picks(t, A, "teddy bear")))
    ),
    "F102": lengths(lambda t: held_bouts(t, A), mean),
    "F103": best_video(held_s(C, "ball")),
    "F104": difference(held_s(C, "ball"), held_s(C, "book")),
    "F105": count(lambda t: given(t, None, None, "block")),
    "F106": [
        each(lambda t: frozenset(w for w in PEOPLE if cut(held(t, w, "block"), (3.0, 9.0))), "names"),
        names(lambda ts: frozenset(w for w in PEOPLE if ever(ts, lambda t, w=w: cut(held(t, w, "block"), (3.0, 9.0))))),
    ],
    "F107": says(lambda ts: sum(len(picks(t, C)) for t in ts) > 3),
    "F108": each(lambda t: latest({n: max(picks(t, C, n), default=None) for n in t.objects}), "names"),
    "F109": chosen(lambda ts, n: ever(ts, lambda t: handled(t, C, n))),
    "F110": yes(lambda t: any(two_at_once(t, w) for w in PEOPLE)),
    "F111": [sum_of(lambda t: t.duration_s)],
    "F112": [refused("frame"), number(lambda ts: float(sum(len(t.frames) for t in ts)))],
    "F113": refused("colour", "color", "look"),
    "F114": refused("bounce"),
    "F115": refused("speed", "fast", "crawl"),
    "F116": says(lambda ts: sum(total(near(t)) for t in ts) > sum(t.duration_s for t in ts) / 2),
    "F117": best_video(lambda t: float(len(given(t)))),
    "F118": lengths(lambda t: held_bouts(t, C, "car"), most),
    "F119": best(lambda t, w: len(downs(t, w, "book")), "people"),
    "F120": each(lambda t: begin(t.visible(A))),
    "F121": seconds(lambda t: held(t, C)),
    "F122": count(lambda t: downs(t, C)),
    "F123": lengths(lambda t: held_bouts(t, C), mean),
    "F124": best(lambda t, n: total(held(t, None, n)), "objects"),
    "F125": part(near),
    "F126": best(lambda t, w: len(given(t, w)), "people"),
    "F127": per_minute(lambda t: bouts(touching(t))),
    "F128": [
        each(lambda t: first_of(t.moments("leaves", A))),
        each(lambda t: max(t.moments("leaves", A), default=None)),
    ],
    "F129": each(lambda t: bool(at(t, C, 8.0)), "yes_no"),
    "F130": n_toys(lambda t, n: [x for x in picks(t, C, n) if x < t.duration_s / 2]),
    "F131": chosen(lambda ts, n: all(ever(ts, lambda t, w=w: picks(t, w, n)) for w in PEOPLE)),
    "F132": [
        both_read(same_toy_lags, C, A, median),
        both_read(same_toy_lags, C, A, mean),
        both_read(any_toy_lags, C, A, median),
    ],
    "F133": refused("feel", "følel"),
    "F134": chosen(lambda ts, n: ever(ts, lambda t: both(held(t, A, n), held(t, C, "ball")))),
    "F135": seconds(lambda t: without(whole(t), _anybody(t))),
    "F136": count(lambda t: given(t, C, A)),
    "F137": each(lambda t: latest({n: end(held(t, C, n)) for n in t.objects}), "names"),
    "F138": seconds(lambda t: t.visible(C, A)),
    "F139": best(lambda t, w: total(held(t, w, "teddy bear")), "people"),
    "F140": part(lambda t: held(t, C)),
    "F141": yes(lambda t: bool(handled(t, C, "book"))),
    "F142": each(lambda t: first_of(t.releases(C, "ball"))),
    "F143": n_toys(lambda t, n: held(t, A, n)),
    "F144": best_video(lambda t: total(t.visible(A))),
    "F145": refused("speech", "sound"),
    "F146": each(lambda t: at(t, C, t.duration_s - 1e-3), "names"),
    "F147": gap(whole, lambda pairs: max((g for _, g in pairs), default=None)),
    "F148": seconds(lambda t: both(held(t, C), held(t, A))),
    "F149": [count(lambda t: starts(near(t))), count(lambda t: starts(near(t), at_zero=False))],
    "F150": says(_gap_halves),
}


def _when_picked(t: RoomTruth) -> Value:
    times = picks(t, C, "car")
    return frozenset().union(*(at(t, A, x) for x in times)) if times else frozenset()


def _held_after_ball(t: RoomTruth, *, begins: bool) -> Value:
    ends = t.releases(C, "ball")
    if not ends:
        return None
    window = (ends[0], t.duration_s)
    spans = t.held_objects(C)
    if begins:
        return earliest({n: first_of([b for b, _ in s if b >= ends[0] - _EPS]) for n, s in spans.items()})
    return frozenset(n for n, s in spans.items() if cut(s, window))


def _ball_after_down(t: RoomTruth) -> Value:
    times = downs(t, C, "ball")
    return total(cut(t.visible("ball"), (times[0], t.duration_s))) if times else None


def _halves(ts: Truths) -> bool | None:
    first, second = (
        sum(total(cut(held(t, C), (t.duration_s * k / 2, t.duration_s * (k + 1) / 2))) for t in ts) for k in (0, 1)
    )
    return None if first == second else second > first


def _gone(t: RoomTruth, name: str) -> list[Span]:
    return [span for span in bouts(t.visible(name)) if span[1] < t.duration_s - _EPS]


def _same_at_once(t: RoomTruth) -> list[Span]:
    return [s for n in sorted(t.objects) for s in bouts(both(handled(t, C, n), handled(t, A, n)))]


def _max_held(ts: Truths) -> float | None:
    return most([e - b for t in ts for b, e in held_bouts(t, C)])


def _order_held(t: RoomTruth) -> Value:
    child, adult = (begin(held(t, who, "ball")) for who in (C, A))
    return None if child is None or adult is None else child < adult


SECOND: Mapping[str, Reading | list[Reading]] = {
    "G001": part(lambda t: held(t, C)),
    "G002": [count(lambda t: bouts(touching(t))), count(lambda t: starts(touching(t), at_zero=False)), NO],
    "G003": count(lambda t: [1 for b, e in held_bouts(t, A) if e - b < 2 - _EPS]),
    "G004": names(
        lambda ts: largest(
            {n: max([e - b for t in ts for b, e in held_bouts(t, A, n)], default=0.0) for n in all_objects(ts)}
        )
    ),
    "G005": per_minute(lambda t: downs(t, A)),
    "G006": seconds(lambda t: both(held(t, C, "block"), touching(t))),
    "G007": share(lambda t: float(len(picks(t, C))), lambda t: float(len(picks(t, C)) + len(picks(t, A)))),
    "G008": each(lambda t: first_of(given(t))),
    "G009": lengths(lambda t: bouts(near(t)), mean),
    "G010": [says(_halves), NO],
    "G011": yes(lambda t: bool(both(near(t), held(t, C, "cup")))),
    "G012": NO,
    "G013": [says(lambda ts: all(ever(ts, lambda t, n=n: held(t, A, n)) for n in all_objects(ts))), NO],
    "G014": how_many(lambda ts, n: ever(ts, lambda t: held(t, C, n)) and not ever(ts, lambda t: held(t, A, n))),
    "G015": lengths(lambda t: bouts(touching(t)), median),
    "G016": seconds(lambda t: not_during(near(t), touching(t))),
    "G017": lambda ts: Expected(
        "names", {ts[1].video_id: earliest({n: begin(held(ts[1], None, n)) for n in ts[1].objects})}
    ),
    "G018": NO,
    "G019": [
        sum_of(
            lambda t: float(
                sum(
                    any(n == m and x < y <= x + 3 for y, m in t.events_with_object("puts_down", A))
                    for x, n in [(x, n) for n in t.objects for x in given(t, C, A, n)]
                )
            )
        ),
        NO,
    ],
    "G020": NO,
    "G021": refused("speech", "sound", "naming"),
    "G022": refused("naming", "speech", "sound"),
    "G023": [
        each(lambda t: earliest({w: first_of(t.releases(w, "book")) for w in PEOPLE}), "names"),
        each(lambda t: earliest({w: end(held(t, w, "book")) for w in PEOPLE}), "names"),
    ],
    "G024": NO,
    "G025": [
        each(lambda t: _held_after_ball(t, begins=False), "names"),
        each(lambda t: _held_after_ball(t, begins=True), "names"),
        names(lambda ts: frozenset().union(*(_held_after_ball(t, begins=False) or () for t in ts))),
    ],
    "G026": [each(_when_picked, "names"), names(lambda ts: frozenset().union(*(_when_picked(t) for t in ts)))],
    "G027": each(_ball_after_down),
    "G028": NO,
    "G029": chosen(lambda ts, n: all(ever(ts, lambda t, w=w: handled(t, w, n)) for w in PEOPLE)),
    # "Leave" may be meant of those that do not come back, or of every time that one goes out of view.
    "G030": [
        each(
            lambda t: latest({n: end(t.visible(n)) for n in t.objects if t.visible(n)[-1][1] < t.duration_s - _EPS}),
            "names",
        ),
        each(lambda t: latest({n: end(_gone(t, n)) for n in t.objects}), "names"),
    ],
    "G031": refused("speech", "sound"),
    "G032": ratio(held_s(C), held_s(A)),
    "G033": [
        each(lambda t: end(t.visible("teddy bear"))),
        each(lambda t: (x - 0.1) if (x := end(t.visible("teddy bear"))) else None),
    ],
    "G034": [count(lambda t: bouts(t.visible("book"))), count(lambda t: starts(t.visible("book"), at_zero=False))],
    # Of a video without the ball it is not so.
    "G035": [each(_order_held, "yes_no"), each(lambda t: _order_held(t) or False, "yes_no")],
    "G036": NO,
    "G037": each(lambda t: earliest({n: first_of(given(t, A, C, n)) for n in t.objects}), "names"),
    "G038": each(lambda t: frozenset(w for w in PEOPLE if holds_at(held(t, w, "ball"), 9.0)), "names"),
    "G039": chosen(lambda ts, n: not ever(ts, lambda t: held(t, A, n))),
    "G040": lambda _: Expected("text"),
    "G041": seconds(lambda t: t.visible(A)),
    "G042": [seconds(lambda t: t.alone(C)), seconds(lambda t: not_during(t.visible(C), t.visible(A))), NO],
    "G043": yes(lambda t: bool(t.moments("leaves", C))),
    "G044": [each(lambda t: first_of(t.moments("enters", C))), each(lambda t: begin(t.visible(C)))],
    "G045": count(lambda t: picks(t, A)),
    "G046": NO,
    "G047": count(lambda t: bouts(near(t))),
    "G048": NO,
    "G049": each(lambda t: at(t, A, t.duration_s - 1e-3), "names"),
    "G050": yes(lambda t: bool(given(t))),
    "G051": seconds(lambda t: cut(touching(t), (0.0, 10.0))),
    "G052": NO,
    "G053": NO,
    "G054": NO,
    "G055": [seconds(lambda t: without(whole(t), held(t, C))), seconds(lambda t: not_during(t.visible(C), held(t, C)))],
    "G056": [
        each(lambda t: earliest({w: first_of(t.moments("enters", w)) for w in PEOPLE}), "names"),
        each(lambda t: earliest({w: begin(t.visible(w)) for w in PEOPLE}), "names"),
    ],
    "G057": [seconds(lambda t: without(whole(t), held(t, A))), seconds(lambda t: not_during(t.visible(A), held(t, A)))],
    "G058": says(lambda ts: any(e - b > 5 + _EPS for t in ts for b, e in held_bouts(t, C, "teddy bear"))),
    "G059": chosen(lambda ts, n: ever(ts, lambda t: given(t, A, C, n))),
    "G060": count(_same_at_once),
    "G061": yes(lambda t: bool(both(held(t, C, "block"), held(t, C, "ball")))),
    "G062": names(
        lambda ts: smallest({n: sum(len(bouts(t.related("in_contact", A, n))) for t in ts) for n in all_objects(ts)})
    ),
    "G063": how_many(lambda ts, n: sum(len(picks(t, C, n)) for t in ts) > 1),
    "G064": best(lambda t, w: total(held(t, w)), "people"),
    "G065": part(visible("car")),
    "G066": count(lambda t: downs(t, C) + downs(t, A)),
    "G067": each(lambda t: earliest({w: first_of(picks(t, w)) for w in PEOPLE}), "names"),
    "G068": per_minute(lambda t: held_bouts(t, A)),
    "G069": chosen(lambda ts, n: ever(ts, lambda t: given(t, None, None, n))),
    "G070": seconds(lambda t: cut(held(t, C), (10.0, t.duration_s))),
    "G071": each(lambda t: begin(touching(t))),
    "G072": yes(lambda t: bool(not_during(held(t, C), t.visible(A)))),
    "G073": each(lambda t: first_of(downs(t, C, "car"))),
    "G074": says(lambda ts: (weighted_mean(ts[0].gaps(C, A)) or 0) > (weighted_mean(ts[1].gaps(C, A)) or 0)),
    "G075": count(lambda t: picks(t, C) + picks(t, A)),
    "G076": lambda _: Expected("text"),
    "G077": says(
        lambda ts: (
            sum(ever(ts, lambda t, n=n: held(t, A, n)) for n in all_objects(ts))
            > sum(ever(ts, lambda t, n=n: held(t, C, n)) for n in all_objects(ts))
        )
    ),
    "G078": number(lambda ts: median([x for t in ts for x in next_lags(t.moments("leaves", A), picks(t, C))])),
    "G079": [
        says(lambda ts: any(not held(t, C, "ball") for t in ts)),
        names(lambda ts: frozenset(t.video_id for t in ts if not held(t, C, "ball"))),
    ],
    "G080": NO,
    "G081": difference(held_s(C, "ball"), held_s(A, "ball")),
    "G082": best(lambda t, n: len(picks(t, C, n)), "objects"),
    "G083": how_many(lambda ts, n: not ever(ts, lambda t: held(t, None, n))),
    "G084": lambda _: Expected("text"),
    "G085": lengths(lambda t: held_bouts(t, C, "car"), mean),
    "G086": count(lambda t: given(t, C, A)),
    "G087": names(lambda ts: largest({w: total(ts[1].visible(w)) for w in PEOPLE})),
    "G088": each(_before_her),
    "G089": yes(lambda t: any(x >= t.duration_s / 2 for x in picks(t, A))),
    "G090": seconds(lambda t: without(whole(t), held(t, None))),
    "G091": sum_of(lambda t: float(sum(x < 10 for x in picks(t, C)))),
    "G092": names(lambda ts: smallest({n: sum(total(t.visible(n)) for t in ts) for n in all_objects(ts)})),
    "G093": number(_max_held),
    "G094": each(
        lambda t: earliest({w: first_of([x for n in t.objects for x in t.releases(w, n)]) for w in PEOPLE}), "names"
    ),
    "G095": part(lambda t: t.alone(A)),
    "G096": [
        each(lambda t: at(t, A, x) if (x := first_of(downs(t, C, "book"))) is not None else frozenset(), "names"),
        names(lambda ts: frozenset().union(*(at(t, A, x) for t in ts for x in downs(t, C, "book")))),
    ],
    "G097": how_many(lambda ts, n: all(ever(ts, lambda t, w=w: held(t, w, n)) for w in PEOPLE)),
    "G098": NO,
    "G099": count(lambda t: bouts(not_during(t.related("in_contact", C, "car"), held(t, C, "car")))),
    "G100": each(lambda t: end(near(t))),
}
ANSWERS = {**FIRST, **SECOND}
