"""Files of a detection experiment: scores as JSON, curves as a table and a figure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from lowlight.files import whole, write_json, write_table
from lowlight.report.figures import LIGHT, Theme, png
from lowlight.report.score_figures import COLOURS


def write(result: dict[str, Any], folder: Path) -> None:
    """Write ``detections.json``, ``precision_recall.csv`` and, of one class, ``precision_recall.png``.

    Args:
        result: What :func:`lowlight.detection.detect` returns.
        folder: Folder to write to.

    Raises:
        OSError: If a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "detections.json", {key: result[key] for key in ("about", "rows")})
    points = [
        {key: curve[key] for key in ("darkness", "method", "class")}
        | {"score": score, "precision": precision, "recall": recall}
        for curve in result["curves"]
        for score, precision, recall in zip(curve["scores"], curve["precision"], curve["recall"], strict=True)
    ]
    columns = ("darkness", "method", "class", "score", "precision", "recall")
    write_table(folder / "precision_recall.csv", points, columns)
    figure = folder / "precision_recall.png"
    if len({curve["class"] for curve in result["curves"]}) != 1:
        figure.unlink(missing_ok=True)  # of an earlier experiment
    else:
        with whole(figure) as partial:
            partial.write_bytes(draw_precision_recall(result["rows"], result["curves"], LIGHT))


def steps(curve: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """Return recalls and precisions: over the way to a recall stands the precision that is reached there."""
    return [0.0, *curve["recall"]], [*(curve["precision"][:1] or [0.0]), *curve["precision"]]


def draw_precision_recall(
    rows: Sequence[dict[str, Any]], curves: Sequence[dict[str, Any]], theme: Theme
) -> bytes:
    """Draw precision against recall, a panel per darkness and a line per method, as PNG."""
    methods = [*dict.fromkeys(row["method"] for row in rows)]
    panels = [*dict.fromkeys(row["darkness"] for row in rows)]
    across = min(len(panels), 4)
    down = -(-len(panels) // across)
    layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06)
    canvas = Figure(figsize=(3 * across + 1.6, 2.9 * down + 0.3), facecolor=theme.paper, layout=layout)
    lines: dict[str, Any] = {}
    for place, panel in enumerate(panels, start=1):
        axes = canvas.add_subplot(down, across, place)
        for curve in (curve for curve in curves if curve["darkness"] == panel):
            index = methods.index(curve["method"])
            lines[curve["method"]] = axes.step(
                *steps(curve), where="pre", linewidth=1.4,
                color=theme.ink if index == 0 else COLOURS[(index - 1) % len(COLOURS)],
                linestyle=":" if index == 0 else "-",
            )[0]  # fmt: skip
        axes.set_title(panel, fontsize=9, color=theme.ink, loc="left", parse_math=False)
        axes.set(xlim=(0, 1), ylim=(0, 1.02), facecolor=theme.paper)
        axes.set_xlabel("Recall", fontsize=9, color=theme.ink)
        axes.set_ylabel("Precision", fontsize=9, color=theme.ink)
        axes.tick_params(labelsize=8, colors=theme.ink, color=theme.faint)
        axes.grid(color=theme.faint, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    canvas.legend(
        list(lines.values()), list(lines), loc="outside right upper", frameon=False, fontsize=8,
        labelcolor=theme.ink,
    )  # fmt: skip
    return png(canvas)
