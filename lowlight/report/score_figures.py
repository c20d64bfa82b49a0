"""Figures of scores: their distribution over images, and PSNR against time and size."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from lowlight.report.entries import Entry
from lowlight.report.figures import Theme, png
from lowlight.report.table import Row, number

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#7f7f7f")
MARKERS = "osD^vPX*<>"


@dataclass(frozen=True)
class About:
    """File and title of a figure."""

    file: str
    title: str

    def describe(self, entries: Sequence[Entry]) -> str:
        """Return the text alternative: the range and median of PSNR per entry."""
        parts = []
        for entry in entries:
            values = [value for value in entry.images("psnr") if math.isfinite(value)]
            if values:
                ends = f"{number(min(values), 1)} to {number(max(values), 1)} dB"
                parts.append(f"{entry.label}: {ends}, median {number(float(np.median(values)), 1)}")
        return f"{self.title}. {'; '.join(parts)}."


DISTRIBUTION = About("distribution.png", "PSNR of each test image")
TRADEOFF = About("tradeoff.png", "PSNR against time and size")


def draw_distribution(entries: Sequence[Entry], rows: Sequence[Row], theme: Theme) -> bytes:
    """Draw PSNR per method: one dot per image and the quartiles as a box, without infinite values."""
    del rows
    canvas = _canvas((9, 0.9 + 0.42 * len(entries)), theme)
    axes = canvas.add_subplot()
    for position, entry in enumerate(reversed(entries)):
        values = np.array([value for value in entry.images("psnr") if math.isfinite(value)])
        if not len(values):
            continue
        jitter = 0.22 * np.sin(2.4 * np.arange(len(values)))
        axes.plot(values, position + jitter, "o", color=theme.lines[0], markersize=3.5, alpha=0.65, mew=0)
        first, median, last = np.percentile(values, (25, 50, 75))
        axes.barh(
            position, last - first, 0.62, first, color=theme.lines[1], alpha=0.22, edgecolor=theme.lines[1]
        )
        axes.plot([median] * 2, [position - 0.31, position + 0.31], color=theme.lines[1], linewidth=2)
    axes.set_yticks(range(len(entries)), [entry.label for entry in reversed(entries)], parse_math=False)
    _dress(axes, "PSNR, dB", "", theme)
    return png(canvas)


def draw_tradeoff(entries: Sequence[Entry], rows: Sequence[Row], theme: Theme) -> bytes:
    """Draw PSNR with its interval against the time per image and against the number of parameters."""
    canvas = _canvas((9, 3.6 + 0.2 * max(0, len(entries) - 6)), theme)
    panels = (("ms_per_image", "Time, ms per image"), ("parameters", "Parameters"))
    legend: dict[str, Any] = {}
    for place, (key, axis) in enumerate(panels, start=1):
        axes = canvas.add_subplot(1, 2, place)
        for index, (entry, row) in enumerate(zip(entries, rows, strict=True)):
            across, value = float(row[key]), entry.score("psnr")
            if not (math.isfinite(value) and across > 0):
                continue
            low, high = entry.interval("psnr")
            error = None if math.isnan(low) else [[max(value - low, 0)], [max(high - value, 0)]]
            legend[entry.label] = axes.errorbar(
                across, value, yerr=error, fmt=MARKERS[index % len(MARKERS)], markersize=6, capsize=2,
                color=COLOURS[index % len(COLOURS)], elinewidth=1,
            )  # fmt: skip
        _scale_by_factors(axes)
        _dress(axes, axis, "PSNR, dB", theme)
    if legend:
        canvas.legend(
            list(legend.values()), list(legend), loc="outside right upper", frameon=False, fontsize=8,
            labelcolor=theme.ink,
        )  # fmt: skip
    return png(canvas)


def draw_latency(points: Sequence[tuple[str, str, float, float]], theme: Theme) -> bytes:
    """Draw PSNR in dB against milliseconds per image.

    Args:
        points: ``(model, engine, milliseconds, psnr)`` each.
        theme: Colours.
    """
    canvas = _canvas((6.4, 3.8), theme)
    axes = canvas.add_subplot()
    models, engines = (list(dict.fromkeys(point[place] for point in points)) for place in (0, 1))
    colours = {model: COLOURS[index % len(COLOURS)] for index, model in enumerate(models)}
    markers = {engine: MARKERS[index % len(MARKERS)] for index, engine in enumerate(engines)}
    for model, engine, milliseconds, psnr in points:
        axes.scatter(milliseconds, psnr, s=36, color=colours[model], marker=markers[engine])
    _scale_by_factors(axes)
    _dress(axes, "Time, ms per image", "PSNR, dB", theme)
    keys = [Line2D([], [], color=colour, marker="o", ls="", label=model) for model, colour in colours.items()]
    keys += [
        Line2D([], [], color=theme.ink, marker=marker, ls="", label=engine)
        for engine, marker in markers.items()
    ]
    canvas.legend(handles=keys, loc="outside right center", frameon=False, fontsize=8, labelcolor=theme.ink)
    return png(canvas)


def _scale_by_factors(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
    axes.xaxis.set_major_formatter(_plain)
    axes.xaxis.set_minor_formatter(NullFormatter())


def _plain(value: float, _: float) -> str:
    """Format a tick label: 0.5, 200, 600k, 5M."""
    return f"{value:g}" if value < 10_000 else EngFormatter(sep="")(value)


def _canvas(size: tuple[float, float], theme: Theme) -> Figure:
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
    return Figure(figsize=size, facecolor=theme.paper, layout=layout)


def _dress(axes: Axes, across: str, up: str, theme: Theme) -> None:
    """Label the axes of a diagram and apply the theme."""
    axes.set_facecolor(theme.paper)
    axes.set_xlabel(across, fontsize=9, color=theme.ink)
    axes.set_ylabel(up, fontsize=9, color=theme.ink)
    axes.tick_params(labelsize=8, colors=theme.ink, color=theme.faint, which="both")
    axes.grid(color=theme.faint, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.faint)
