"""Expressions evaluated by brute force: millisecond by millisecond, video by video. It shares no code with the engine.

A stream of intervals is a list of true and false, one per millisecond; a stream of moments a sorted list of
milliseconds. Expressions are tuples: ``("&", a, b)``, ``("visible", "child")``, ``("merged", a, 200)``.
"""

from __future__ import annotations

import statistics
from itertools import pairwise

from language_memory import NAMES, Span, Timeline

END = 1600
"""Length of a timeline in milliseconds."""
Grid = list[bool]
Moments = list[int]
MOMENTS = ("picks_up", "puts_down", "starts", "ends")


def is_moments(e: tuple) -> bool:  # type: ignore[type-arg]
    """Whether an expression gives moments."""
    if e[0] in MOMENTS:
        return True
    if e[0] in ("first", "last", "nth", "within", "during", "overlapping"):
        return is_moments(e[1])
    if e[0] == "nearest":
        return is_moments(e[2])
    if e[0] == "&":
        return is_moments(e[1]) or is_moments(e[2])
    return e[0] == "|" and is_moments(e[1])


def grid_of(spans: list[Span]) -> Grid:
    found = [False] * END
    for begin, end in spans:
        for ms in range(begin, min(end, END)):
            found[ms] = True
    return found


def runs(grid: Grid) -> list[Span]:
    found, begin = [], None
    for ms, on in enumerate([*grid, False]):
        if on and begin is None:
            begin = ms
        if not on and begin is not None:
            found.append((begin, ms))
            begin = None
    return found


def spans_of(e: tuple, video: Timeline) -> list[Span]:  # type: ignore[type-arg]
    """Intervals, or moments as spans without length."""
    if is_moments(e):
        return [(ms, ms) for ms in moments(e, video)]
    return runs(grid(e, video))


def rows(e: tuple, video: Timeline) -> list[Span]:  # type: ignore[type-arg]
    """The single intervals of a stream that is read."""
    if e[0] == "visible":
        return video.seen.get(NAMES.index(e[1]) + 1, [])
    if e[0] == "speaks":
        return [(b, end) for who, b, end in video.speech if who == e[1]]
    one = NAMES.index(e[1]) + 1
    others = [NAMES.index(e[2]) + 1] if len(e) > 2 else [n for n in range(1, len(NAMES) + 1) if n != one]
    found: list[Span] = []
    for (predicate, a, b), spans in video.related.items():
        if predicate == e[0] and ((a == one and b in others) or (b == one and a in others)):
            found += spans
    return found


def span_of_video(video: Timeline) -> Span:
    return min(b for b, _ in video.processed), max(e for _, e in video.processed)


def grid(e: tuple, video: Timeline) -> Grid:  # type: ignore[type-arg]
    """When a stream of intervals holds."""
    begin, end = span_of_video(video)
    match e:
        case ("visible" | "near" | "holding" | "speaks", *_):
            return grid_of(rows(e, video))
        case ("processed",):
            return grid_of(video.processed)
        case ("between", a, b):
            return grid_of([(a, b)])
        case ("&", a, b):
            return [x and y for x, y in zip(grid(a, video), grid(b, video), strict=True)]
        case ("|", a, b):
            return [x or y for x, y in zip(grid(a, video), grid(b, video), strict=True)]
        case ("!", a):
            return [p and not x for p, x in zip(grid_of(video.processed), grid(a, video), strict=True)]
        case ("at_least", n, a):
            counts = [0] * END
            for b, stop in rows(a, video):
                for ms in range(b, min(stop, END)):
                    counts[ms] += 1
            return [count >= n for count in counts]
        case ("merged", a, gap):
            found = runs(grid(a, video))
            bridges = [(one[1], two[0]) for one, two in pairwise(found) if two[0] - one[1] <= gap]
            return grid_of(found + bridges)
        case ("longer_than", a, length):
            return grid_of([s for s in runs(grid(a, video)) if s[1] - s[0] > length])
        case ("shorter_than", a, length):
            return grid_of([s for s in runs(grid(a, video)) if s[1] - s[0] < length])
        case ("padded", a, before, after):
            longer = [(max(b - before, begin), min(stop + after, end)) for b, stop in spans_of(a, video)]
            return grid_of([s for s in longer if s[0] < s[1]])
        case ("since" | "after" | "until" | "before", a):
            return grid_of(window(e[0], spans_of(a, video), (begin, end)))
        case ("then", a, b, time):
            second = spans_of(b, video)
            found = []
            for start, stop in spans_of(a, video):
                nexts = [s for s in second if follows(s, (start, stop)) and s[0] - stop <= time]
                if nexts:
                    found.append((start, max(min(nexts)[1], stop)))
            return grid_of(found)
        case _:
            return grid_of(chosen(e, video))


def follows(one: Span, other: Span) -> bool:
    """Whether ``one`` begins at the end of ``other`` or later; a moment later than another moment."""
    return one[0] > other[1] if one[0] == one[1] and other[0] == other[1] else one[0] >= other[1]


def window(name: str, spans: list[Span], whole: Span) -> list[Span]:
    if not spans:
        return []
    return {
        "since": [(spans[0][0], whole[1])],
        "after": [(spans[0][1], whole[1])],
        "until": [(whole[0], spans[-1][1])],
        "before": [(whole[0], spans[0][0])],
    }[name]


def chosen(e: tuple, video: Timeline) -> list[Span]:  # type: ignore[type-arg]
    """The rows that an operator chooses."""
    spans = spans_of(e[1], video)
    match e:
        case ("first", _):
            return spans[:1]
        case ("last", _):
            return spans[-1:]
        case ("nth", _, n):
            return spans[n - 1 : n]
        case ("during", _, b):
            held = grid(b, video)
            return [s for s in spans if all(held[ms] for ms in range(s[0], max(s[1], s[0] + 1)))]
        case ("overlapping", _, b):
            held = grid(b, video)
            return [s for s in spans if any(held[ms] for ms in range(s[0], max(s[1], s[0] + 1)))]
        case ("within", _, b, time):
            others = spans_of(b, video)
            return [s for s in spans if any(abs(s[0] - o[0]) <= time for o in others)]
        case ("nearest", _, b):
            others = spans_of(b, video)
            if not others:
                return []
            best = {min(range(len(others)), key=lambda n: (apart(s, others[n]), n)) for s in spans}
            return [others[n] for n in sorted(best)]
    raise AssertionError(e)


def apart(one: Span, other: Span) -> int:
    return max(other[0] - one[1], one[0] - other[1], 0)


def moments(e: tuple, video: Timeline) -> Moments:  # type: ignore[type-arg]
    """When a stream of moments has one."""
    match e:
        case ("picks_up" | "puts_down", who, *what):
            return sorted(
                at
                for kind, tracks, at in video.events
                if kind == e[0]
                and NAMES[tracks[0] - 1] == who
                and (not what or what[0] in [NAMES[t - 1] for t in tracks[1:]])
            )
        case ("starts", a):
            return [s[0] for s in spans_of(a, video)]
        case ("ends", a):
            return [s[1] for s in spans_of(a, video)]
        case ("&", a, b):
            points, held = (a, b) if is_moments(a) else (b, a)
            on = grid(held, video)
            return [ms for ms in moments(points, video) if ms < END and on[ms]]
        case ("|", a, b):
            return sorted(moments(a, video) + moments(b, video))
        case _:
            return [s[0] for s in chosen(e, video)]


def value(e: tuple, videos: list[Timeline]) -> float | None:  # type: ignore[type-arg]
    """The value of an aggregate of several videos together; None where there is none."""
    processed = sum(sum(grid_of(v.processed)) for v in videos) / 1000
    name, a = e[0], e[1]
    found = [spans_of(a, v) for v in videos] if name not in ("latency", "prob") else []
    lengths = [(s[1] - s[0]) / 1000 for spans in found for s in spans]
    match e:
        case ("total", _):
            return sum(lengths)
        case ("share", _):
            return sum(lengths) / processed
        case ("share", _, of):
            both = [sum(x and y for x, y in zip(grid(a, v), grid(of, v), strict=True)) for v in videos]
            whole = sum(sum(grid(of, v)) for v in videos)
            return sum(both) / whole if whole else None
        case ("count", _):
            return float(len(lengths))
        case ("rate", _):
            return 60 * len(lengths) / processed
        case ("exists", _):
            return float(bool(lengths))
        case ("mean" | "median" | "sd" | "shortest" | "longest", _):
            return spread(name, lengths)
        case ("pauses", _, how):
            gaps = [(two[0] - one[1]) / 1000 for spans in found for one, two in pairwise(spans)]
            return spread(how, gaps)
        case ("latency", first, second, how):
            return spread(how, [lag for v in videos for lag in lags(first, second, v)])
        case ("prob", b, time, after):
            hits = [hit for v in videos for hit in followed(b, time, after, v)]
            return sum(hits) / len(hits) if hits else None
    raise AssertionError(e)


def spread(how: str, numbers: list[float]) -> float | None:
    if how == "longest" and not numbers:
        return 0.0
    if not numbers or (how == "sd" and len(numbers) < 2):
        return None
    functions = {"mean": statistics.fmean, "median": statistics.median, "sd": statistics.stdev}
    return {**functions, "shortest": min, "longest": max, "min": min, "max": max}[how](numbers)


def lags(first: tuple, second: tuple, video: Timeline) -> list[float]:  # type: ignore[type-arg]
    ones, twos = spans_of(first, video), spans_of(second, video)
    found = []
    for place, (begin, end) in enumerate(ones):
        following = ones[place + 1][0] if place + 1 < len(ones) else END * 10
        nexts = [s[0] for s in twos if follows(s, (begin, end))]
        if nexts and min(nexts) < following:
            found.append((min(nexts) - end) / 1000)
    return found


def followed(b: tuple, time: int, after: tuple, video: Timeline) -> list[bool]:  # type: ignore[type-arg]
    found = []
    for begin, _ in spans_of(after, video):
        if is_moments(b):
            found.append(any(begin < ms <= begin + time for ms in moments(b, video)))
        else:
            found.append(any(s[1] > begin and s[0] <= begin + time for s in spans_of(b, video)))
    return found


def to_text(e: tuple) -> str:  # type: ignore[type-arg]
    """The expression in the language."""
    match e:
        case ("&" | "|", a, b):
            return f"({to_text(a)} {e[0]} {to_text(b)})"
        case ("!", a):
            return f"!({to_text(a)})"
        case ("share", a, of):
            return f"share({to_text(a)}, of={to_text(of)})"
        case ("pauses", a, how):
            return f"{how}(pauses({to_text(a)}))"
        case ("latency", a, b, how):
            return f"{how}(latency({to_text(a)} -> {to_text(b)}))"
        case ("prob", b, time, after):
            return f"prob({to_text(b)}, within={time}ms, after={to_text(after)}, shuffles=0)"
        case (name, *parts):
            seconds = name not in ("at_least", "nth")
            shown = [
                to_text(p) if isinstance(p, tuple) else f"{p}{'ms' * seconds}" if isinstance(p, int) else p
                for p in parts
            ]
            return f"{name}({', '.join(shown)})"
    raise AssertionError(e)
