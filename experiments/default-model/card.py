"""Write card.json beside shipped weights from what was measured, and the table of scores in their README.

``lowlight models`` and ``lowlight.models()`` read the card. The table stands in the README between
``<!-- generated: scores -->`` and ``<!-- generated: end -->``.
"""

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lowlight.shipped import CARD, SCORES, Card, read_card

_BLOCK = re.compile(r"(<!-- generated: scores -->\n).*?(<!-- generated: end -->)", re.DOTALL)


def of_sources(path: Path, model: str) -> Iterator[dict[str, Any]]:
    """Yield a model's scores on each source of a ``scores.json`` of experiments/mixed-sources/run.py."""
    for row in json.loads(path.read_text()):
        if row["model"] == model:
            yield {
                **{key: row[key] for key in ("source", "split", "images", "scenes")},
                "means": {key: row[key] for key in SCORES if key in row},
                "intervals": {key: row[f"{key}_interval"] for key in SCORES if f"{key}_interval" in row},
            }


def of_evaluation(source: str, folder: Path) -> dict[str, Any]:
    """Return the scores of a folder of ``lowlight evaluate`` on one source."""
    metrics = json.loads((folder / "metrics.json").read_text())
    return {
        "source": source,
        **{key: metrics[key] for key in ("split", "images", "scenes")},
        "means": {key: metrics[f"test/{key}"] for key in SCORES if f"test/{key}" in metrics},
        "intervals": {key: metrics["intervals"][key] for key in SCORES if key in metrics["intervals"]},
    }


def speed(path: Path, model: str) -> dict[str, Any]:
    """Return the time of torch in 32 bits of a ``benchmark.json`` of ``lowlight benchmark``."""
    rows = [one for one in json.loads(path.read_text())["rows"] if one["model"] == model]
    times = [
        one["milliseconds"]
        for one in rows
        if (one["engine"], one["width"], one["height"]) == ("torch", 600, 400)
    ]
    if not times:
        raise SystemExit(f"{path}: no time of {model} in torch for 600x400 pixels")
    return {"milliseconds": round(times[0], 1)}


def table(card: Card) -> str:
    """Return the scores of a card as a table of Markdown."""
    headings = [heading for heading, _ in SCORES.values()]
    lines = [f"| source | images | {' | '.join(headings)} |", f"|---|---|{'--:|' * len(headings)}"]
    for score in card.scores:
        about = f"{score.images} of {score.scenes} scenes, {score.split}"
        cells = " | ".join(score.cell(metric) for metric in SCORES)
        lines.append(f"| {score.source} | {about} | {cells} |")
    return "\n".join(lines)


def with_table(readme: str, card: Card) -> str:
    """Return a README with its generated table made anew."""
    if not _BLOCK.search(readme):
        raise SystemExit("README.md has no <!-- generated: scores --> and <!-- generated: end --> after it")
    return _BLOCK.sub(lambda match: f"{match[1]}\n{table(card)}\n\n{match[2]}", readme)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, help="Folder of the weights, such as lowlight/weights/NAME")
    parser.add_argument("--scores", nargs=2, metavar=("FILE", "MODEL"), help="Rows of mixed-sources/run.py")
    parser.add_argument(
        "--evaluation",
        nargs=2,
        action="append",
        default=[],
        metavar=("SOURCE", "FOLDER"),
        help="Folder of lowlight evaluate",
    )
    parser.add_argument("--benchmark", nargs=2, metavar=("FILE", "MODEL"), help="Of lowlight benchmark")
    parser.add_argument("--machine", help="What the benchmark ran on")
    parser.add_argument("--licence", help="Terms of the weights")
    parser.add_argument("--about", help="What the model does, in a sentence")
    arguments = parser.parse_args()
    path = arguments.weights / CARD
    content: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    content |= {
        key: value
        for key in ("about", "licence", "machine")
        if (value := getattr(arguments, key)) is not None
    }
    if arguments.benchmark:
        content |= speed(Path(arguments.benchmark[0]), arguments.benchmark[1])
    new = [of_evaluation(source, Path(folder)) for source, folder in arguments.evaluation]
    if arguments.scores:
        new += of_sources(Path(arguments.scores[0]), arguments.scores[1])
    if new:
        measured = {(one["source"], one["split"]) for one in new}
        old = [one for one in content.get("scores", []) if (one["source"], one["split"]) not in measured]
        content["scores"] = [*new, *old]
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    readme = arguments.weights / "README.md"
    readme.write_text(
        with_table(readme.read_text(encoding="utf-8"), read_card(arguments.weights)), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
