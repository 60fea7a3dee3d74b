"""The three estimates side by side, as a chart."""

from __future__ import annotations

from collections.abc import Sequence

from visionllm_interaction.errors import UsageError
from visionllm_interaction.validity.estimation.side_by_side import ComparedEstimate

COLOURS = {"as detected": "#D55E00", "audit only": "#999999", "corrected": "#0072B2"}


def estimates_chart(estimates: Sequence[ComparedEstimate], *, unit: str, zero: bool = False) -> str:
    """Estimates with their intervals, a row for each quantity.

    Args:
        estimates: what to draw.
        unit: of the axis.
        zero: whether to draw a line at zero, for differences and slopes.

    Returns:
        An ``<svg>`` element.

    Raises:
        UsageError: if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure

        from visionllm_interaction.reports.charts import figure_to_svg
    except ImportError as error:
        raise UsageError(
            "matplotlib is not installed.",
            expected="the extra `validity`",
            found=str(error),
            fix="pip install 'visionllm-interaction[validity]'",
        ) from error
    figure = Figure(figsize=(8, 0.7 + 0.62 * len(estimates)))
    axes = figure.subplots()
    for row, compared in enumerate(estimates):
        for offset, found in zip(
            (-0.22, 0.0, 0.22), (compared.naive, compared.audit_only, compared.corrected), strict=True
        ):
            if found.value is None:
                continue
            low, high = found.interval.low, found.interval.high
            if low is not None and high is not None:
                axes.plot([low, high], [row + offset] * 2, color=COLOURS[found.kind], linewidth=2)
            label = found.kind if row == 0 else None
            axes.plot(found.value, row + offset, "o", color=COLOURS[found.kind], markersize=5, label=label)
    axes.set_yticks(range(len(estimates)), [compared.name for compared in estimates])
    axes.set_ylim(len(estimates) - 0.5, -0.5)
    axes.set_xlabel(f"{unit} (95 % intervals)")
    if zero:
        axes.axvline(0, color="#1c2733", linewidth=0.8)
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.35 / max(len(estimates), 1) - 0.12), ncols=3)
    return figure_to_svg(figure)
