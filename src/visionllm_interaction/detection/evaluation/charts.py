"""The plots of the evaluation page, as inline SVG drawn by matplotlib."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from visionllm_interaction.detection.evaluation.error_analysis import ERROR_TYPES

BLUE, ORANGE, GREEN, RED = "#0072B2", "#D55E00", "#009E73", "#CC3311"
MAX_LINES = 12
MAX_CELLS = 20
RECALLS = np.linspace(0, 1, 101)


def to_svg(figure: Figure) -> str:
    """The figure as an ``<svg>`` element, the same bytes for the same figure."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    return buffer.getvalue()[buffer.getvalue().index("<svg") :]


def precision_recall_chart(curves: Mapping[str, Any], per_category: Mapping[str, Mapping[str, float]]) -> str:
    """Left: mean over categories at two thresholds; right: the categories with the lowest AP50."""
    figure = Figure(figsize=(10, 3.6))
    left, right = figure.subplots(1, 2, sharey=True)
    for (threshold, values), colour in zip(curves["mean"].items(), (BLUE, ORANGE), strict=False):
        left.plot(RECALLS, values, color=colour, label=f"IoU {threshold}")
    lowest = sorted(curves["per_category"], key=lambda name: per_category[name]["AP50"])[:MAX_LINES]
    for name in lowest:
        right.plot(RECALLS, curves["per_category"][name], label=name, linewidth=1.2)
    left.set_title("mean over categories", fontsize=10)
    right.set_title("categories, lowest AP50 first, IoU 0.50", fontsize=10)
    for axes in (left, right):
        axes.set(xlabel="recall", xlim=(0, 1), ylim=(0, 1.02))
        _tidy(axes)
    left.set_ylabel("precision")
    left.legend(frameon=False)
    right.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return to_svg(figure)


def error_chart(errors: Mapping[str, Mapping[str, float]]) -> str:
    """What each type of error costs."""
    figure = Figure(figsize=(7, 2.4))
    axes = figure.subplots()
    names = list(errors)[::-1]
    bars = axes.barh(names, [errors[name]["AP50_lost"] for name in names], color=ORANGE)
    axes.bar_label(bars, [f" {errors[n]['count']:,} × {ERROR_TYPES[n]}" for n in names], fontsize=8)
    axes.set_xlabel("AP50 gained if put right")
    axes.margins(x=0.6)
    _tidy(axes)
    return to_svg(figure)


def confusion_chart(confusion: Mapping[str, Any]) -> str:
    """Shares of each true category's objects by what was detected; of many categories those most often mistaken."""
    matrix, names = np.array(confusion["matrix"], dtype=float), list(confusion["names"])
    matrix, names = _most_confused(matrix, names)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = 2.2 + 0.34 * len(names)
    figure = Figure(figsize=(side + 1, side))
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(xlabel="detected as", ylabel="truth")
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{int(count)}", ha="center", va="center", fontsize=7, color=colour)
    return to_svg(figure)


def _most_confused(matrix: np.ndarray[Any, Any], names: list[str]) -> tuple[np.ndarray[Any, Any], list[str]]:
    if len(names) <= MAX_CELLS + 1:
        return matrix, names
    between = matrix[:-1, :-1] * (1 - np.eye(len(names) - 1))
    order = np.argsort(-(between.sum(axis=0) + between.sum(axis=1)), kind="stable")[:MAX_CELLS]
    keep = [*np.sort(order).tolist(), len(names) - 1]
    return matrix[np.ix_(keep, keep)], [names[n] for n in keep]


def calibration_chart(calibration: Mapping[str, Any]) -> str:
    """Reliability diagram: confidence against the share of detections that are right."""
    figure = Figure(figsize=(4, 3.6))
    axes = figure.subplots()
    filled = [row for row in calibration["bins"] if row["count"]]
    axes.plot([0, 1], [0, 1], color="#999", linewidth=1, linestyle="--")
    axes.bar(
        [(row["bin_lower"] + row["bin_upper"]) / 2 for row in filled],
        [row["avg_accuracy"] for row in filled],
        width=0.09, color=BLUE, alpha=0.8,
    )  # fmt: skip
    axes.set(xlabel="confidence", ylabel="share that is right (IoU 0.5)", xlim=(0, 1), ylim=(0, 1))
    _tidy(axes)
    return to_svg(figure)


def interval_chart(rows: Sequence[tuple[str, float, tuple[float, float] | None]], label: str, *, zero: bool) -> str:
    """A point and its interval per row; with ``zero`` a line at 0."""
    figure = Figure(figsize=(7, 0.9 + 0.26 * len(rows)))
    axes = figure.subplots()
    for place, (_, value, ends) in enumerate(reversed(rows)):
        if ends:
            axes.plot(ends, [place, place], color=BLUE, linewidth=2)
        axes.plot([value], [place], "o", color=ORANGE, markersize=5)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in reversed(rows)], fontsize=8)
    axes.set_xlabel(label)
    if zero:
        axes.axvline(0, color="#999", linewidth=1)
    _tidy(axes)
    return to_svg(figure)


def _tidy(axes: Axes) -> None:
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
