"""Plots of a training and of a study, as PNG drawn by matplotlib."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

CURVES_NAME, HISTORY_NAME, IMPORTANCES_NAME = "curves.png", "history.png", "importances.png"
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#999999"


def curves_png(rows: Sequence[Mapping[str, Any]], *, best_epoch: int | None = None) -> bytes:
    """Loss (left) and AP, AP50 (right) over the epochs of a training; ``rows`` are those of ``metrics.csv``."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    lines = (left, "train_loss", "training", BLUE), (left, "val_loss", "validation", ORANGE), \
        (right, "AP", "AP", BLUE), (right, "AP50", "AP50", GREEN)  # fmt: skip
    for axes, key, label, colour in lines:
        known = [row for row in rows if key in row]
        if known:
            values = [row[key] for row in known]
            axes.plot([row["epoch"] for row in known], values, "o-", markersize=3, color=colour, label=label)
    if best_epoch is not None:
        right.axvline(best_epoch, color=GREY, linewidth=1, linestyle="--", label="best epoch")
    left.set(ylabel="loss", ylim=(0, None))
    right.set(ylabel="validation", ylim=(0, None))
    for axes in (left, right):
        _over_counts(axes, "epoch")
        axes.legend(frameon=False)
    return _png(figure)


def history_png(trials: Sequence[Mapping[str, Any]]) -> bytes:
    """The value of each trial, and the best so far; ``trials`` have ``number``, ``state`` and ``value``.

    A pruned trial has the value at which it was stopped; a failed one lies on the axis.
    """
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    complete = _with_values(trials, "complete")
    pruned = _with_values(trials, "pruned")
    failed = [trial["number"] for trial in trials if trial["state"] == "fail"]
    best: list[float] = []
    for trial in complete:
        best.append(max([*best[-1:], trial["value"]]))
    axes.plot(_numbers(complete), best, color=ORANGE, drawstyle="steps-post", label="best so far")
    axes.plot(_numbers(complete), [t["value"] for t in complete], "o", color=BLUE, label="complete")
    if pruned:
        axes.plot(_numbers(pruned), [t["value"] for t in pruned], "x", color=GREY, label="pruned")
    if failed:
        axes.plot(failed, [0] * len(failed), "v", color=ORANGE, clip_on=False, label="failed")
    axes.set(ylabel="validation AP", ylim=(0, None))
    _over_counts(axes, "trial")
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return _png(figure)


def importances_png(importances: Mapping[str, float], *, trials: int) -> bytes:
    """How much each searched key decides whether a trial is among the best, of ``trials`` complete ones."""
    figure = Figure(figsize=(7, 1.2 + 0.4 * len(importances)), layout="constrained")
    axes = figure.subplots()
    names = sorted(importances, key=lambda name: importances[name])
    bars = axes.barh(names, [importances[name] for name in names], color=BLUE, height=0.6)
    axes.bar_label(bars, [f" {importances[name]:.2f}" for name in names])
    axes.set(xlabel=f"importance (PED-ANOVA, {trials} complete trials)", xlim=(0, 1.08))
    _tidy(axes)
    return _png(figure)


def _with_values(trials: Sequence[Mapping[str, Any]], state: str) -> list[Mapping[str, Any]]:
    return [trial for trial in trials if trial["state"] == state and trial["value"] is not None]


def _numbers(trials: Sequence[Mapping[str, Any]]) -> list[int]:
    return [trial["number"] for trial in trials]


def _over_counts(axes: Axes, label: str) -> None:
    axes.set_xlabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _tidy(axes)


def _tidy(axes: Axes) -> None:
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    # without the version of matplotlib in it: the same numbers are the same bytes
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()
