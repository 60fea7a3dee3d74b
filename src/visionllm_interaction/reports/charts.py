"""Charts as inline SVG, drawn by matplotlib."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from visionllm_interaction.reports.overlays import colour_of

PREDICATE_COLOURS: dict[str, str] = {"near": "#9ecae1", "in_contact": "#fdae6b", "holding": "#a63603"}
EVENT_MARKERS: dict[str, str] = {"enters": ">", "leaves": "<", "picks_up": "^", "puts_down": "v", "hands_over": "D"}


def figure_to_svg(figure: Figure) -> str:
    """The figure as an ``<svg>`` element without XML prologue, with stable ids."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def training_curves(epochs: Sequence[Mapping[str, float]]) -> str:
    """Training loss and validation AP, AP50 by epoch."""
    figure = Figure(figsize=(9, 3))
    left, right = figure.subplots(1, 2)
    _curve(left, epochs, {"train_loss": ("training loss", "#0072B2")})
    _curve(right, epochs, {"AP50": ("AP50", "#009E73"), "AP": ("AP", "#D55E00")})
    left.set_ylabel("loss")
    right.set_ylim(0, 1)
    right.set_ylabel("validation")
    return figure_to_svg(figure)


def _curve(axes: Axes, epochs: Sequence[Mapping[str, float]], lines: Mapping[str, tuple[str, str]]) -> None:
    for key, (label, colour) in lines.items():
        points = [(row["epoch"], row[key]) for row in epochs if row.get(key) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), label=label, color=colour, marker="o", markersize=4)
    axes.set_xlabel("epoch")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def timeline_chart(timeline: Mapping[str, Any], *, names: tuple[str, ...]) -> str:
    """A row per track (seen), a row per related pair (bouts), and events as marks."""
    tracks = sorted(timeline["tracks"], key=lambda t: (t["category"], t["begin_s"]))
    relations = [r for r in timeline["relations"] if r["predicate"] in PREDICATE_COLOURS]
    pairs = sorted({(r["subject_track_id"], r["object_track_id"]) for r in relations})
    labels = {t["track_id"]: f"{t['category']} #{t['track_id']}" for t in tracks}
    figure = Figure(figsize=(10, 0.7 + 0.27 * (len(tracks) + len(pairs))))
    axes = figure.subplots()
    for row, track in enumerate(tracks):
        span = (track["begin_s"], track["end_s"] - track["begin_s"])
        axes.broken_barh([span], (row - 0.35, 0.7), color=colour_of(track["category"], names))
    _draw_bouts(axes, relations, pairs, first_row=len(tracks))
    _draw_events(axes, timeline["events"], {t["track_id"]: row for row, t in enumerate(tracks)})
    texts = [labels[t["track_id"]] for t in tracks] + [f"{labels.get(a, a)} – {labels.get(b, b)}" for a, b in pairs]
    axes.set_yticks(range(len(texts)), texts, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("seconds")
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return figure_to_svg(figure)


def _draw_bouts(
    axes: Axes, relations: Sequence[Mapping[str, Any]], pairs: Sequence[tuple[int, int]], *, first_row: int
) -> None:
    heights = {"near": 0.8, "in_contact": 0.55, "holding": 0.3}
    for predicate, height in heights.items():
        for relation in relations:
            if relation["predicate"] == predicate:
                row = first_row + pairs.index((relation["subject_track_id"], relation["object_track_id"]))
                span = (relation["begin_s"], relation["end_s"] - relation["begin_s"])
                axes.broken_barh([span], (row - height / 2, height), color=PREDICATE_COLOURS[predicate])


def _draw_events(axes: Axes, events: Sequence[Mapping[str, Any]], rows: Mapping[int, int]) -> None:
    for event in events:
        row = rows.get(event["track_ids"][0])
        if row is not None:
            marker = EVENT_MARKERS.get(event["kind"], "o")
            axes.plot(event["begin_s"], row, marker=marker, color="black", markersize=6, markerfacecolor="white")
