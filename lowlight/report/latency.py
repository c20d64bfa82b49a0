"""Files of a benchmark: measurements as JSON, and a figure of PSNR against time."""

from pathlib import Path
from typing import Any

from lowlight.files import write_json
from lowlight.report.figures import LIGHT
from lowlight.report.score_figures import draw_latency


def write(result: dict[str, Any], folder: Path) -> None:
    """Write ``benchmark.json`` and, if any run has test scores, ``latency.png``: PSNR against time.

    Raises:
        OSError: If they cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "benchmark.json", result)
    first = result["rows"][0] if result["rows"] else {}
    points = [
        (Path(row["model"]).name, row["engine"], row["milliseconds"], row["psnr"])
        for row in result["rows"]
        if row["psnr"] is not None and (row["width"], row["height"]) == (first["width"], first["height"])
    ]
    if points:
        (folder / "latency.png").write_bytes(draw_latency(points, LIGHT))
