"""Files of a benchmark: measurements as JSON, and PSNR against time as a figure."""

from pathlib import Path
from typing import Any

from lowlight.files import last_parts, write_json
from lowlight.report.figures import LIGHT
from lowlight.report.score_figures import draw_latency


def write(result: dict[str, Any], folder: Path) -> None:
    """Write ``benchmark.json`` and, if runs have test scores, ``latency.png``: PSNR against time.

    Raises:
        OSError: If a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "benchmark.json", result)
    first = result["rows"][0] if result["rows"] else {}
    models = list(dict.fromkeys(row["model"] for row in result["rows"]))
    labels = dict(zip(models, last_parts(models), strict=True))
    points = [
        (labels[row["model"]], row["engine"], row["milliseconds"], row["psnr"])
        for row in result["rows"]
        if row["psnr"] is not None and (row["width"], row["height"]) == (first["width"], first["height"])
    ]
    figure = folder / "latency.png"
    if points:
        figure.write_bytes(draw_latency(points, LIGHT))
    else:
        figure.unlink(missing_ok=True)  # of an earlier benchmark
