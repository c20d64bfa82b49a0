"""Text written at build time, so that an addition touches no page: methods, data sets, metrics, API."""

import csv
import inspect
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from hydra.utils import get_object
from omegaconf import DictConfig
from sphinx.application import Sphinx

from lowlight.checkpoints import build
from lowlight.config import available, config_folder, load_config
from lowlight.inference.photos import writing
from lowlight.metrics import DEFINITIONS

ROOT = Path(__file__).resolve().parents[2]
_MARKER = re.compile(r"<!-- generated: (\w+) -->")

NOT_IN_API = ("cli", "renamed", "conf", "weights")
"""Parts of the package without public names."""


def method_sections() -> str:
    """Return one Markdown section per method: idea, reference, size, scores, settings and command."""
    results = list(committed_results())
    return "\n\n".join(_section(name, results) for name in available("method"))


def _section(name: str, results: list[dict[str, Any]]) -> str:
    idea, settings = _comment_and_rest(config_folder() / "method" / f"{name}.yaml")
    config = load_config([f"method={name}"]).method
    with torch.device("meta"):
        parameters = sum(weight.numel() for weight in build(config).net.parameters())
    inner = config.net if "net" in config else config.function
    paragraphs = [
        f"## {name}",
        idea,
        f"{{py:obj}}`~{_canonical(inner._target_)}`, run by {{py:obj}}`~{_canonical(config._target_)}`; "
        + (f"{parameters:,} parameters at the default size." if parameters else "nothing to train."),
        _reference(inner, config),
        "```bash\n" + "\n".join(_commands(name, learns=parameters > 0)) + "\n```",
        _scores([row for row in results if row["method"] == name]),
        f"Settings, with the defaults:\n\n```yaml\n{settings.strip()}\n```",
    ]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _comment_and_rest(path: Path) -> tuple[str, str]:
    """Divide a YAML file into the comment that it begins with, as one paragraph, and the rest."""
    lines = path.read_text().splitlines()
    comment = list(takewhile(lambda line: line.startswith("#"), lines))
    return " ".join(line.removeprefix("#").strip() for line in comment), "\n".join(lines[len(comment) :])


def _canonical(target: str) -> str:
    """Return the dotted name under which the API pages document what a ``_target_`` names."""
    found = get_object(target)
    return f"{found.__module__}.{found.__qualname__}"


def _reference(*nodes: DictConfig) -> str:
    """Return the ``Reference`` section of the first docstring that has one, as Markdown."""
    for node in nodes:
        docstring = inspect.getdoc(get_object(node._target_)) or ""
        if found := re.search(r"^Reference:\n((?:    .*\n?|\n)+)", docstring, re.MULTILINE):
            lines = " ".join(line.strip() for line in found[1].splitlines())
            return f"**Reference.** {_to_markdown(lines.strip())}"
    return ""


def _to_markdown(text: str) -> str:
    """Turn the roles and literals of RST into Markdown."""
    return re.sub(r":(?:py:)?\w+:`~?([^`]+)`", r"`\1`", text).replace("``", "`")


def _commands(name: str, learns: bool) -> Iterator[str]:
    if not learns:
        yield f"lowlight evaluate method={name} data=lol data.root=/data/LOL"
        yield f"lowlight enhance dark.jpg --out bright --method {name}"
        return
    yield f"lowlight train method={name} data=lol data.root=/data/LOL trainer=gpu"
    for preset in available("experiment"):
        if preset.endswith(f"/{name}"):
            root = "" if preset.startswith("study/") else " data.root=/data/LOL"
            yield f"lowlight train experiment={preset}{root}"


def _scores(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    head = [
        "| experiment | seed | test images | PSNR, dB | SSIM | parameters | training, min | ms per image |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    body = [
        f"| [{row['experiment']}](../experiments/{row['experiment']}/README.md) | {row['seed']} "
        f"| {row['images']} | {row['psnr']:.2f} | {row['ssim']:.3f} | {row['parameters']:,} "
        f"| {row['minutes']} | {row['ms']} |"
        for row in rows
    ]
    return "Scores on record; each experiment's page states data, machine and seed:\n\n" + "\n".join(
        head + body
    )


def committed_results() -> Iterator[dict[str, Any]]:
    """Yield the test scores of every run that ``experiments/`` holds."""
    for path in sorted((ROOT / "experiments").rglob("metrics.json")):
        scores = json.loads(path.read_text())
        manifest_path = path.with_name("manifest.json")
        if "test/psnr" not in scores or not manifest_path.exists():
            continue
        manifest = json.loads(manifest_path.read_text())
        if "parameters" not in manifest:  # a folder of images that was scored
            continue
        experiment = path.relative_to(ROOT / "experiments").parts[0]
        minutes = manifest.get("train_minutes")
        yield {
            "method": manifest["method"],
            "experiment": experiment,
            "seed": manifest.get("seed", ""),
            "images": scores["images"],
            "psnr": scores["test/psnr"],
            "ssim": scores["test/ssim"],
            "parameters": manifest["parameters"],
            "minutes": f"{minutes:.1f}" if minutes else "",
            "ms": _milliseconds(path.parent),
        }


def _milliseconds(run: Path) -> str:
    """Look a run's time per image up in the table beside its folder."""
    table = run.parent / "table.csv"
    if not table.exists():
        return ""
    rows: list[Mapping[str, str]] = list(csv.DictReader(table.read_text().splitlines()))
    times = [row["ms_per_image"] for row in rows if row["method"] == run.name]
    return f"{float(times[0]):.1f}" if times and times[0] else ""


def write_api(app: Sphinx) -> None:
    """Write ``docs/api``: one page per part of the package, with all its public modules."""
    folder = Path(app.srcdir) / "api"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    parts = sorted(
        path.stem
        for path in (ROOT / "lowlight").iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").exists())
        if not path.name.startswith("_") and path.stem not in NOT_IN_API
    )
    for part in parts:
        sections = [_module(name, "=" if name == f"lowlight.{part}" else "-") for name in _modules(part)]
        (folder / f"{part}.rst").write_text("\n".join(sections))
    pages = "\n".join(f"   {part}" for part in parts)
    (folder / "index.rst").write_text(f"{_INDEX}\n.. toctree::\n   :maxdepth: 1\n\n{pages}\n")


_INDEX = """\
API reference
=============

Every public name, from its docstring. The front door is the package itself:
:func:`lowlight.enhance`, :func:`lowlight.load`, :func:`lowlight.available`,
:func:`lowlight.save_pretrained` and :func:`lowlight.from_pretrained`.
"""


def _modules(part: str) -> list[str]:
    package = ROOT / "lowlight"
    files = [package / f"{part}.py"] if (package / f"{part}.py").exists() else (package / part).rglob("*.py")
    names = []
    for path in files:
        pieces = path.relative_to(package).with_suffix("").parts
        if not any(piece.startswith("_") and piece != "__init__" for piece in pieces):
            names.append(".".join(["lowlight", *(piece for piece in pieces if piece != "__init__")]))
    return sorted(names)


def _module(name: str, line: str) -> str:
    return f"{name}\n{line * len(name)}\n\n.. automodule:: {name}\n"


def data_table() -> str:
    """Return a Markdown table of the data configs, with the comment that each begins with."""
    rows = []
    for name in available("data"):
        comment, _ = _comment_and_rest(config_folder() / "data" / f"{name}.yaml")
        rows.append(f"| `data={name}` | {comment} |")
    return "\n".join(["| choice | what it reads |", "|---|---|", *rows])


def metric_table() -> str:
    """Return a Markdown table of the metrics' definitions."""
    rows = [f"| `{key}` | {definition} |" for key, definition in DEFINITIONS.items()]
    return "\n".join(["| key | definition |", "|---|---|", *rows])


def written_formats() -> str:
    """Return the file endings under which photographs are written."""
    return ", ".join(f"`{suffix}`" for suffix in sorted(writing.FORMATS))


def experiment_table() -> str:
    """Return the tables of ``experiments/README.md``, with links from ``docs/``."""
    lines = (ROOT / "experiments" / "README.md").read_text().splitlines()
    rows = "\n".join(line for line in lines if line.startswith("|"))
    return re.sub(r"\]\((?!https?:)", "](../experiments/", rows)


GENERATED: Mapping[str, Callable[[], str]] = {
    "methods": method_sections,
    "data": data_table,
    "metrics": metric_table,
    "experiments": experiment_table,
    "formats": written_formats,
}
"""Text by the name in a page's ``<!-- generated: NAME -->``."""


def insert_generated(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Put generated text in the place of its marker."""
    source[0] = _MARKER.sub(lambda marker: GENERATED[marker[1]](), source[0])


def pages_with_markers(app: Sphinx, *_: Any) -> list[str]:
    """Return the pages to build anew each time, as Sphinx does not know what their text is made from."""
    pages = Path(app.srcdir).glob("*.md")
    return [page.stem for page in pages if _MARKER.search(page.read_text())]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_api)
    app.connect("source-read", insert_generated)
    app.connect("env-get-outdated", pages_with_markers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
