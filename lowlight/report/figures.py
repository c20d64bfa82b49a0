"""Figures of the report: curves over the epochs, and rows of pictures."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from lowlight.report.entries import Entry
from lowlight.report.pictures import Strip

DPI = 160
"""Resolution of the figures, dots per inch."""

FEW_EPOCHS = 12
"""Number of epochs up to which each is marked by a dot."""


@dataclass(frozen=True)
class Theme:
    """Colours of a figure; the line colours are Okabe and Ito's, distinct for every type of colour vision."""

    paper: str
    ink: str
    faint: str
    lines: tuple[str, str]


LIGHT = Theme("#ffffff", "#22262b", "#d9dde2", ("#0072b2", "#d55e00"))
DARK = Theme("#16191d", "#e4e7eb", "#3a4048", ("#56b4e9", "#e69f00"))


@dataclass(frozen=True)
class Panel:
    """One diagram: the label of its vertical axis, and the logged columns by their names in the legend."""

    axis: str
    columns: dict[str, str]


PSNR = Panel("PSNR, dB", {"training": "train/psnr", "validation": "val/psnr"})
LOSS = Panel("Loss", {"training": "train/loss", "validation": "val/loss"})
ACCURACY = Panel(
    "Channel accuracy", {"training": "train/channel/accuracy", "validation": "val/channel/accuracy"}
)
GENERATOR = Panel("Generator loss", {"generator": "train/generator_loss"})
DISCRIMINATOR = Panel("Discriminator loss", {"discriminator": "train/discriminator_loss"})
JUDGEMENT = Panel("Discriminator accuracy", {"discriminator": "train/discriminator_accuracy"})


@dataclass(frozen=True)
class CurveFigure:
    """A figure of curves for the entries that logged all columns of ``needs`` and none of ``lacks``."""

    file: str
    title: str
    panels: tuple[Panel, ...]
    needs: tuple[str, ...]
    lacks: tuple[str, ...] = ()

    def entries(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return the entries that the figure shows."""
        return [
            entry
            for entry in entries
            if all(entry.curve(column) for column in self.needs)
            and not any(entry.curve(column) for column in self.lacks)
        ]

    def describe(self, entries: Sequence[Entry]) -> str:
        """Return the text alternative of the figure."""
        parts = []
        for entry in entries:
            for panel in self.panels:
                for name, column in panel.columns.items():
                    points = entry.curve(column)
                    if points:
                        parts.append(
                            f"{entry.label}, {name} {panel.axis}: {points[0][1]:.4g} to {points[-1][1]:.4g}"
                        )
        return f"{self.title}, first to last epoch. {'; '.join(parts)}."


ADVERSARIAL = ("train/generator_loss", "train/discriminator_loss")
CURVE_FIGURES = (
    CurveFigure("curves.png", "PSNR and loss over the epochs", (PSNR, LOSS), ("train/loss",)),
    CurveFigure(
        "accuracy.png",
        "Loss and channel accuracy over the epochs",
        (LOSS, ACCURACY),
        ("train/loss", "train/channel/accuracy"),
        lacks=ADVERSARIAL,
    ),
    CurveFigure(
        "adversarial.png",
        "Generator against discriminator over the epochs",
        (GENERATOR, DISCRIMINATOR, ACCURACY, JUDGEMENT),
        ADVERSARIAL,
    ),
)
"""The figures of curves, in the order of the page."""


def draw_curves(figure: CurveFigure, entries: Sequence[Entry], theme: Theme) -> bytes:
    """Draw the panels of each entry, two per row, as PNG.

    A line is the mean over an entry's runs and the band their range; a dotted line marks the epoch of the
    kept checkpoint. All PSNR axes share one range, so that methods can be compared by eye.
    """
    rows = (len(figure.panels) + 1) // 2
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08, wspace=0.03)
    canvas = Figure(figsize=(9, 2.6 * rows * len(entries)), facecolor=theme.paper, layout=layout)
    shared: Axes | None = None
    for index, entry in enumerate(entries):
        for position, panel in enumerate(figure.panels):
            place = index * rows * 2 + position + 1
            sharey = shared if panel is PSNR else None
            axes = canvas.add_subplot(rows * len(entries), 2, place, sharey=sharey)
            shared = axes if panel is PSNR else shared
            _draw_panel(axes, panel, entry, theme)
            if position == 0:
                axes.set_title(
                    entry.label, loc="left", fontsize=11, color=theme.ink, weight="bold", parse_math=False
                )
    return png(canvas)


def _draw_panel(axes: Axes, panel: Panel, entry: Entry, theme: Theme) -> None:
    """Draw the curves of an entry into a diagram."""
    for (name, column), colour, style in zip(panel.columns.items(), theme.lines, ("-", "--"), strict=False):
        points = entry.curve(column)
        if not points:
            continue
        epochs, means, lows, highs = zip(*points, strict=True)
        marker = "o" if len(points) <= FEW_EPOCHS else ""
        axes.plot(epochs, means, style, color=colour, label=name, linewidth=1.6, marker=marker, markersize=3)
        if lows != highs:
            axes.fill_between(epochs, lows, highs, color=colour, alpha=0.2, linewidth=0)
    best = entry.first.best_epoch
    if best is not None:
        axes.axvline(best, color=theme.ink, linewidth=0.9, linestyle=":", label=f"best epoch, {best}")
    axes.set_facecolor(theme.paper)
    axes.set_xlabel("Epoch", fontsize=9, color=theme.ink)
    axes.set_ylabel(panel.axis, fontsize=9, color=theme.ink)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, steps=[1, 2, 5, 10]))
    axes.tick_params(labelsize=8, colors=theme.ink, color=theme.faint)
    axes.grid(color=theme.faint, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.faint)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=8, frameon=False, labelcolor=theme.ink)


def draw_strips(strips: Sequence[Strip]) -> bytes:
    """Draw rows of pictures with captions above them, as PNG."""
    width, gap, margin = 2.0, 0.06, 0.3
    captions = [
        0.06 + 0.15 * max(picture.caption.count("\n") + 1 for picture in strip.pictures) for strip in strips
    ]
    heights = [
        width * strip.pictures[0].pixels.shape[0] / strip.pictures[0].pixels.shape[1] for strip in strips
    ]
    total_width = margin + max(len(strip.pictures) for strip in strips) * (width + gap)
    total_height = sum(captions) + sum(heights) + gap * (len(strips) + 1)
    canvas = Figure(figsize=(total_width, total_height), facecolor=LIGHT.paper)
    top = total_height
    for strip, caption, height in zip(strips, captions, heights, strict=True):
        bottom = top - caption - height
        canvas.text(
            margin / 2 / total_width,
            (bottom + height / 2) / total_height,
            strip.title,
            rotation=90,
            ha="center",
            va="center",
            fontsize=8,
            color=LIGHT.ink,
            parse_math=False,
        )
        for index, picture in enumerate(strip.pictures):
            left = margin + index * (width + gap)
            box = (left / total_width, bottom / total_height, width / total_width, height / total_height)
            axes = canvas.add_axes(box)
            axes.imshow(picture.pixels)
            axes.set_title(picture.caption, fontsize=8, pad=3, color=LIGHT.ink, parse_math=False)
            axes.set_axis_off()
        top = bottom - gap
    return png(canvas)


def png(figure: Figure) -> bytes:
    """Render a figure as PNG, without the global state of pyplot."""
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(file, dpi=DPI, format="png", facecolor=figure.get_facecolor())
    return file.getvalue()
