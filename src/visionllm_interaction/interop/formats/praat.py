"""Praat's TextGrid: written in the long form, read in the long and the short form.

Interval tiers of Praat cover all of the time, and gaps have the text "". An interval without a label is written as a
blank.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from visionllm_interaction.interop.formats.safe_reading import import_error, read_text
from visionllm_interaction.interop.tiers import Interval, Tier, Timeline, sort_intervals, split_overlaps
from visionllm_interaction.utils.path_type import StrPath

# What Praat reads: texts in quotes, and numbers and flags that stand alone; everything else is ignored.
_TOKEN = re.compile(
    r'"(?P<text>(?:[^"]|"")*)"'
    r"|(?P<flag><[a-z]+>)"
    r"|![^\n]*"
    r"|(?<!\S)(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)%?(?!\S)"
)
_UNNAMED = " "


def textgrid_bytes(timeline: Timeline) -> bytes:
    """``timeline`` as a TextGrid in UTF-8; tiers are named ``participant: name`` where there is a participant."""
    named = [Tier(_full_name(tier), tier.intervals) for tier in timeline.tiers]
    tiers = split_overlaps(named)
    end_s = max([timeline.end_s, 0.001, *(i.end_s for tier in tiers for i in tier.intervals)])
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {_number(end_s)}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, tier in enumerate(tiers, start=1):
        lines.append(f"    item [{number}]:")
        lines += [f"        {line}" for line in _tier_lines(tier, end_s)]
    return ("\n".join(lines) + "\n").encode()


def _full_name(tier: Tier) -> str:
    return f"{tier.participant}: {tier.name}" if tier.participant else tier.name


def _tier_lines(tier: Tier, end_s: float) -> Iterator[str]:
    rows = [] if tier.is_point_tier else _covering(tier.intervals, end_s)
    yield f'class = "{"TextTier" if tier.is_point_tier else "IntervalTier"}"'
    yield f"name = {_quoted(tier.name)}"
    yield "xmin = 0"
    yield f"xmax = {_number(end_s)}"
    if tier.is_point_tier:
        yield f"points: size = {len(tier.intervals)}"
        for number, point in enumerate(tier.intervals, start=1):
            yield f"points [{number}]:"
            yield f"    number = {_number(point.begin_s)}"
            yield f"    mark = {_quoted(point.label)}"
        return
    yield f"intervals: size = {len(rows)}"
    for number, row in enumerate(rows, start=1):
        yield f"intervals [{number}]:"
        yield f"    xmin = {_number(row.begin_s)}"
        yield f"    xmax = {_number(row.end_s)}"
        yield f"    text = {_quoted(row.label)}"


def _covering(intervals: Sequence[Interval], end_s: float) -> list[Interval]:
    rows, reached = [], 0.0
    for interval in intervals:
        if interval.begin_s > reached:
            rows.append(Interval(reached, interval.begin_s))
        rows.append(Interval(interval.begin_s, interval.end_s, interval.label or _UNNAMED))
        reached = interval.end_s
    if reached < end_s or not rows:
        rows.append(Interval(reached, end_s))
    return rows


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def read_textgrid(path: StrPath) -> Timeline:
    """Read a TextGrid; gaps (empty texts) are left out.

    Args:
        path: the file.

    Returns:
        Its timeline.

    Raises:
        InputDataError: if it is no TextGrid or ends early.
    """
    path = Path(path)
    tokens = _tokens(read_text(path))
    try:
        # "ooTextFile short" was the short form's header until Praat 4.
        kind = (next(tokens), next(tokens))
        if kind not in (("ooTextFile", "TextGrid"), ("ooTextFile short", "TextGrid")):
            raise import_error(path, expected="a TextGrid in text form", found="another kind of file")
        _, end_s = float(next(tokens)), float(next(tokens))
        tiers = []
        if next(tokens) == "<exists>":
            tiers = [_read_tier(tokens) for _ in range(int(next(tokens)))]
    except (StopIteration, ValueError) as error:
        raise import_error(path, expected="a complete TextGrid in text form", found=str(error) or "its end") from error
    return Timeline(tuple(tiers), duration_s=end_s)


def _tokens(text: str) -> Iterator[str]:
    for match in _TOKEN.finditer(text):
        if match["text"] is not None:
            yield match["text"].replace('""', '"')
        elif match["flag"] or match["number"]:
            yield match["flag"] or match["number"]


def _read_tier(tokens: Iterator[str]) -> Tier:
    kind, name = next(tokens), next(tokens)
    _begin_s, _end_s = next(tokens), next(tokens)  # of the tier
    rows = []
    for number in range(1, int(next(tokens)) + 1):
        begin_s = float(next(tokens))
        end_s = begin_s if kind == "TextTier" else float(next(tokens))
        label = next(tokens)
        if label or kind == "TextTier":
            where = f"{'point' if kind == 'TextTier' else 'interval'} {number} of tier {name}"
            rows.append(Interval(begin_s, end_s, "" if label == _UNNAMED else label, where))
    return Tier(name, sort_intervals(rows))
