"""Refresh the generated parts of the pages, so that an addition needs no edit of a page.

python docs/generate.py

The parts stand between ``<!-- generated: NAME -->`` and ``<!-- generated: end -->``. They are committed, so
that the pages are complete on GitHub. ``make docs`` refreshes them, and a test fails while they are outdated.
"""

import csv
import inspect
import json
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from hydra.utils import get_object
from omegaconf import DictConfig

from lowlight.checkpoints import build
from lowlight.config import available, config_folder, load_config, method_file
from lowlight.decoding.formats import PHOTO_SUFFIXES
from lowlight.inference.photos.writing import FORMATS
from lowlight.inference.video.suffixes import CONTAINERS, VIDEO_SUFFIXES
from lowlight.methods import Method
from lowlight.metrics import APPEARANCE, DEFINITIONS, OPTIONAL

ROOT = Path(__file__).resolve().parents[1]
EXPERIMENTS = ROOT / "experiments"

_BLOCK = re.compile(r"(<!-- generated: (?!end)(\S+) -->\n)(.*?)(<!-- generated: (\w+) -->)", re.DOTALL)


def refreshed(page: Path) -> str:
    """Return the text of a page with its generated parts made anew.

    Raises:
        ValueError: If a marker names nothing that can be generated, or has no end.
    """
    text = page.read_text()

    def block(match: re.Match[str]) -> str:
        start, name, _, end, word = match.groups()
        if word != "end":
            raise ValueError(f"{page}: {start.strip()} has no end: add <!-- generated: end -->")
        if name not in GENERATED:
            raise ValueError(f"{page}: nothing is generated as {name!r}, only {', '.join(GENERATED)}")
        return f"{start}\n{GENERATED[name]()}\n\n{end}"

    text, count = _BLOCK.subn(block, text)
    if text.count("<!-- generated: ") != 2 * count:
        raise ValueError(
            f"{page}: markers must be pairs of <!-- generated: NAME --> and <!-- generated: end -->"
        )
    return text


def methods() -> str:
    """Return one section per method: idea, code, reference, commands, scores and settings."""
    results = [*committed_results(), *field_results()]
    return "\n\n".join(_section(name, results) for name in available("method"))


def _section(name: str, results: list[dict[str, Any]]) -> str:
    idea, settings = _comment_and_rest(method_file(name))
    overrides = [f"method={name}", "data=lol", "data.root=/data/LOL"]
    config = load_config(overrides)
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no weights are loaded there
        method = build(config.method)
    inner = config.method.net if "net" in config.method else config.method.function
    parameters = method.parameter_count
    size = f"{parameters:,} parameters at the default size" if parameters else "nothing to train"
    paragraphs = [
        f"## {name}",
        idea,
        f"{_source(inner._target_)}, run by {_source(config.method._target_)}; {size}.",
        _reference(inner, config.method),
        "```bash\n" + "\n".join(_commands(name, method, config)) + "\n```",
        _scores([row for row in results if row["method"] == name]),
        f"Settings and their defaults:\n\n```yaml\n{settings.strip()}\n```",
    ]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _comment_and_rest(path: Path) -> tuple[str, str]:
    """Divide a YAML file into the comment that it begins with, as one paragraph, and the rest."""
    lines = path.read_text().splitlines()
    comment = list(takewhile(lambda line: line.startswith("#"), lines))
    return " ".join(line.removeprefix("#").strip() for line in comment), "\n".join(lines[len(comment) :])


def _source(target: str) -> str:
    """Return a link to the file that defines what a ``_target_`` names."""
    found = get_object(target)
    path = Path(inspect.getfile(found)).relative_to(ROOT).as_posix()
    return f"[`{found.__name__}`](../{path})"


def _reference(*nodes: DictConfig) -> str:
    """Return the ``Reference`` section of the first docstring that has one."""
    for node in nodes:
        docstring = inspect.getdoc(get_object(node._target_)) or ""
        if found := re.search(r"^Reference:\n((?:    .*\n?|\n)+)", docstring, re.MULTILINE):
            lines = " ".join(line.strip() for line in found[1].splitlines())
            return f"**Reference.** {_to_markdown(lines.strip())}"
    return ""


def _to_markdown(text: str) -> str:
    """Turn the roles and literals of RST into Markdown."""
    return re.sub(r":(?:py:)?\w+:`~?([^`]+)`", r"`\1`", text).replace("``", "`")


def _commands(name: str, method: Method, config: DictConfig) -> Iterator[str]:
    """Yield the commands that train the method without a warning, or use it if nothing is trained."""
    if not method.learns and method.parameter_count:
        parts = "method.first=outputs/mirnet method.second=outputs/zero_dce"
        yield f"lowlight evaluate method={name} {parts} \\\n    output_dir=outputs/{name}"
        yield f"lowlight enhance dark.jpg --out bright --checkpoint outputs/{name}"
        return
    if not method.parameter_count:
        yield f"lowlight evaluate method={name} data=lol data.root=/data/LOL"
        yield f"lowlight enhance dark.jpg --out bright --method {name}"
        return
    design, _, size = name.partition("/")
    presets = [preset for preset in available("experiment") if preset.endswith(f"/{design}")]
    if not (presets and any(method.training_problems(config))):
        patch = config.data.patch_size + -config.data.patch_size % method.training_stride
        crops = "" if patch == config.data.patch_size else f" data.patch_size={patch}"
        yield f"lowlight train method={name} data=lol data.root=/data/LOL{crops} trainer=gpu"
    for preset in presets:
        root = _ROOTS[preset.partition("/")[0]]
        if method.unpaired and preset.startswith("published/"):
            root = " \\\n    data.root=dark data.bright=bright"
        elif not method.needs_references and preset.startswith("published/"):
            root = " \\\n    data.root=photographs data.layout.pairs=/data/LOL"
        chosen = f" \\\n    method={name}" if size else ""
        yield f"lowlight train experiment={preset}{chosen}{root}"


def _scores(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    head = [
        "| PSNR, dB | SSIM | experiment | seed | test images | parameters "
        "| training, min | ms per image | machine |",
        "|--:|--:|---|--:|--:|--:|--:|--:|---|",
    ]
    body = [
        f"| {row['psnr']:.2f} | {row['ssim']:.3f} "
        f"| [{row['experiment']}](../experiments/{row['experiment']}/README.md) | {row['seed']} "
        f"| {row['images']} | {row['parameters']:,} | {row['minutes']} | {row['ms']} | {row['machine']} |"
        for row in rows
    ]
    return "\n".join(head + body)


def committed_results() -> Iterator[dict[str, Any]]:
    """Yield the test scores of every run that ``experiments/`` holds."""
    for path in sorted(EXPERIMENTS.rglob("metrics.json")):
        scores = json.loads(path.read_text())
        manifest_path, training_path = path.with_name("manifest.json"), path.with_name("training.json")
        if "test/psnr" not in scores or not manifest_path.exists():
            continue
        manifest = json.loads(manifest_path.read_text())
        if "parameters" not in manifest:  # a folder of images that was scored
            continue
        training = json.loads(training_path.read_text()) if training_path.exists() else manifest
        minutes = training.get("train_minutes")
        yield {
            "method": manifest["method"],
            "experiment": path.relative_to(EXPERIMENTS).parts[0],
            "seed": manifest.get("seed", ""),
            "images": scores["images"],
            "psnr": scores["test/psnr"],
            "ssim": scores["test/ssim"],
            "parameters": manifest["parameters"],
            "minutes": f"{minutes:.1f}" if minutes else "",
            "ms": _milliseconds(path.parent, manifest),
            "machine": _processor(manifest["machine"]["processor"]),
        }


def field_results() -> Iterator[dict[str, Any]]:
    """Yield the test scores of every training of ``experiments/field``, which keeps them in one file.

    All methods are timed on one machine; only of those that were trained there the time is given.
    """
    field = json.loads((EXPERIMENTS / "field" / "results" / "field.json").read_text())
    for method in field["methods"]:
        for seed, run in method["seeds"].items():
            if "epochs" not in run:  # learns nothing
                continue
            test, is_timed = run["scores"][0], run["processor"] == field["machine"]["processor"]
            yield {
                "method": method["name"],
                "experiment": "field",
                "seed": seed,
                "images": test["images"],
                "psnr": test["means"]["psnr"],
                "ssim": test["means"]["ssim"],
                "parameters": run["parameters"],
                "minutes": f"{run['train_minutes']:.1f}",
                "ms": f"{method['milliseconds']:.1f}" if is_timed else "",
                "machine": _processor(run["processor"]),
            }


def _processor(name: str) -> str:
    return re.sub(r"\(R\)| Processor", "", name)


def _milliseconds(run: Path, manifest: Mapping[str, Any]) -> str:
    """Return a run's time per image from the table beside its folder, or its network's from ``speed``."""
    table = run.parent / "table.csv"
    if table.exists():
        rows = csv.DictReader(table.read_text().splitlines())
        times = [row["ms_per_image"] for row in rows if row["method"] == run.name]
    else:
        benchmark = json.loads((EXPERIMENTS / "speed" / "results" / "benchmark.json").read_text())
        wanted = (manifest["method"], manifest["parameters"], "torch")
        times = [
            row["milliseconds"]
            for row in benchmark["rows"]
            if (row["model"], row["parameters"], row["engine"]) == wanted
        ]
    return f"{float(times[0]):.1f}" if times and times[0] else ""


_ROOTS = {
    "study": "",
    "gpu": " data.root=/data/LOL",
    "plates": "",
    "plates_gpu": "",
    "lol_cpu": " data.root=/data/LOL",
    "lol_standard": " data.root=/data/LOL",
    "published": " data.root=/data/LOL",
    "mixed": " data.sets.lol.root=LOL \\\n"
    "    data.sets.exposures.root=exposures data.sets.bright.root=photographs",
}
"""Overrides that presets of each folder need."""


def data() -> str:
    """Return a table of the data configs, with the comment that each begins with."""
    rows = [
        (f"`data={name}`", _comment_and_rest(config_folder() / "data" / f"{name}.yaml")[0])
        for name in available("data")
    ]
    return _table(("choice", "what it reads"), rows)


def metrics() -> str:
    """Return a table of the metrics' definitions."""
    return _table(("key", "definition"), [(f"`{key}`", text) for key, text in DEFINITIONS.items()])


def optional_metrics() -> str:
    """Return a table of the metrics that are measured on demand, with their sources."""
    return _table(
        ("key", "definition", "source"),
        [(f"`{one.key}`", one.definition, one.source) for one in OPTIONAL],
    )


def appearance() -> str:
    """Return a table of the properties of an image alone, with their sources."""
    return _table(
        ("key", "definition", "source"),
        [(f"`{one.key}`", one.definition, one.source) for one in APPEARANCE],
    )


def formats() -> str:
    """Return the file name endings of photographs that are read, and what the written formats hold."""
    rows = [
        (
            f"`{suffix}`",
            "yes" if form.write_deep or form.write else "no",
            "yes" if form.has_alpha else "no",
            "yes" if form.has_metadata else "no",
        )
        for suffix, form in FORMATS.items()
    ]
    head = ("written", "16 bits", "transparency", "EXIF, colour profile")
    return f"Read: {_endings(PHOTO_SUFFIXES)}.\n\n{_table(head, rows)}"


def videos() -> str:
    """Return the file name endings of videos that are read, and the containers that are written."""
    return (
        f"Read: {_endings(VIDEO_SUFFIXES)}.\n\n"
        f"Written: {_endings(CONTAINERS)} keep their container; all others become `.mkv`."
    )


def _endings(suffixes: Iterable[str]) -> str:
    return ", ".join(f"`{suffix}`" for suffix in sorted(suffixes))


def experiments() -> str:
    """Return the marked table of ``experiments/README.md``, with links from ``docs/``."""
    text = (EXPERIMENTS / "README.md").read_text()
    table = text.partition("<!-- index -->\n")[2].partition("<!-- end of index -->")[0].strip()
    return re.sub(r"\]\((?!https?:)", "](../experiments/", table)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    cells = [[cell.replace("|", r"\|") for cell in row] for row in (head, *rows)]
    first, *rest = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([first, "|---" * len(head) + "|", *rest])


GENERATED: Mapping[str, Callable[[], str]] = {
    make.__name__: make
    for make in (methods, data, metrics, optional_metrics, appearance, formats, videos, experiments)
}
"""Functions that make the text, keyed by the name in a page's marker."""


def main() -> None:
    """Write the pages whose generated parts have changed."""
    for page in sorted((ROOT / "docs").glob("*.md")):
        text = refreshed(page)
        if text != page.read_text():
            page.write_text(text)


if __name__ == "__main__":
    main()
