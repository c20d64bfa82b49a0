"""The model card: what a run's own files say about a model, for people and for the hub."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lowlight.checkpoints.pretrained import CONFIG
from lowlight.files import read_json
from lowlight.metrics import METRICS, OPTIONAL
from lowlight.paths import last_part, without_folders
from lowlight.report.leaks import leak_of
from lowlight.report.runs import Run, read_run
from lowlight.runs.folder import best_of
from lowlight.sharing.hub import LICENCE
from lowlight.sharing.licence import RESEARCH_ONLY, folders_of, learnt_from
from lowlight.shipped import WEIGHTS

_HOME = "https://github.com/lowlight-ml/lowlight"

_DECIDES = re.compile(
    r"[+~]*(?:method|schedule|data|trainer|experiment|hparams_search|check|objective|seed|compile|start_from|checkpoint|metrics"
    r"|callbacks(?!\.)|callbacks\.(?:ema|early_stopping))(?:[.@/:][^=]*)?(?:=|$)"
)
"""Keys of the settings that decide a result; others, as those of loggers and sweepers, may hold passwords."""

_ADDRESS = re.compile(r"://|\bfile:", re.IGNORECASE)
"""What an address has in it, which may hold a password."""

_STOPPED = {
    "max_time": "it was stopped by a time limit",
    "early_stopping": "it was stopped when it no longer improved",
}


@dataclass(frozen=True)
class Facts:
    """What the files of a finished run say about its model.

    Attributes:
        run: The run, of a training or of the evaluation of one.
        data: The training's data, as :meth:`lowlight.data.PairDataModule.describe` writes them; empty if no
            file tells.
        intervals: 95 % interval of each mean score, by metric.
        is_training: Whether the run is the training itself, so that commit, machine and command are its own.
    """

    run: Run
    data: dict[str, Any]
    intervals: dict[str, tuple[float, float]]
    is_training: bool

    @property
    def sets(self) -> str:
        """Names of the training data, without their folders."""
        return _names(learnt_from(self.data))

    @property
    def only_scored(self) -> str:
        """Names of the folders that stood in for training data in scoring; empty if there are none."""
        folders = {folders_of(one)[1] for one in (self.data.get("sets") or {}).values()} - {""}
        return _names(folders) if folders else ""

    @property
    def images(self) -> int:
        """Number of test images."""
        return len(self.run.per_image)

    @property
    def scenes(self) -> int:
        """Number of scenes that the test images show."""
        return len(set(self.run.scenes.values()))

    @property
    def leaks(self) -> bool | None:
        """Whether test images show scenes of the training; None if no file tells."""
        leak = leak_of(self.run)
        return None if leak is None else int(leak["in_training_scenes"]) > 0


def read_facts(folder: Path) -> Facts:
    """Read what is known about a finished run's model.

    Raises:
        ValueError: If the run is unfinished, or a file of it is unreadable.
    """
    run = read_run(folder)
    intervals = read_json(folder / "metrics.json").get("intervals") or {}
    is_training = best_of(folder).exists()
    return Facts(
        run,
        dict(run.manifest.get("data" if is_training else "data_of_training") or {}),
        {key: (float(low), float(high)) for key, (low, high) in intervals.items()},
        is_training,
    )


def model_card(
    facts: Facts,
    repo_id: str,
    licence: str,
    parameters: int,
    *,
    difference: float | None,
    trust: Sequence[str] = (),
) -> str:
    """Write the model card of a run: front matter that the hub understands, then Markdown.

    Folders of this machine are left out. Scores are in the front matter, where the hub ranks them, only if no
    test image is known or suspected to show a scene of the training.

    Args:
        facts: What the run's files say.
        repo_id: The repository, ``organisation/name``.
        licence: One of the hub's identifiers, or :data:`lowlight.sharing.licence.RESEARCH_ONLY`.
        parameters: Number of parameters of the image network.
        difference: Largest difference of an output value to that of 32-bit weights, if these are stored in
            16 bits.
        trust: Packages beyond torch and lowlight that the recipe calls.
    """
    import yaml  # type: ignore[import-untyped]  # comes with omegaconf

    name, method = repo_id.rpartition("/")[2], _cell(facts.run.method)
    front = yaml.safe_dump(_front_matter(facts, name, licence), sort_keys=False, allow_unicode=True)
    stored = ""
    if difference is not None:
        stored = f" in 16 bits; outputs differ from those of 32-bit weights by at most {difference:.1e}"
    trusting = f", trust={json.dumps(list(trust))}" if trust else ""
    how = [
        f"# {name}",
        f"Low-light image enhancement: a dark photograph in, a well-exposed one out. The method is "
        f"`{method}` of [lowlight]({_HOME}), {parameters:,} parameters{stored}.",
        "## Use",
        f"```bash\npip install 'lowlight[hub] @ git+{_HOME}'\n```",
        "```python\nfrom PIL import Image\n\nimport lowlight\n\n"
        f'method = lowlight.from_pretrained("{repo_id}"{trusting})\n'
        'bright = lowlight.enhance(Image.open("dark.jpg"), method)\n```',
        *([f"Its recipe calls {', '.join(trust)}, which you install and trust."] if trust else []),
        f"Input is sRGB, in RGB order. `{WEIGHTS}` holds the weights, `{CONFIG}` the recipe; no pickle.",
        "## Scores",
        _scores(facts),
        "## Training",
        "\n".join(["| | |", "|---|---|", *(f"| {key} | {text} |" for key, text in _training(facts))]),
        "## Limits",
        "\n".join(f"- {limit}" for limit in _limits(facts)),
        "## Licence",
        _licence(licence),
    ]
    return f"---\n{front}---\n\n" + "\n\n".join(how) + "\n"


def _front_matter(facts: Facts, name: str, licence: str) -> dict[str, Any]:
    front: dict[str, Any] = {"library_name": "lowlight", "pipeline_tag": "image-to-image", "license": licence}
    if licence == RESEARCH_ONLY:
        front |= {"license": "other", "license_name": RESEARCH_ONLY, "license_link": LICENCE}
    front["tags"] = ["low-light-image-enhancement", "image-enhancement", "pytorch", facts.run.method]
    measured = {key: facts.run.scores.get(key, math.nan) for key in ("psnr", "ssim")}
    scores = {key: value for key, value in measured.items() if math.isfinite(value)}
    if not scores or facts.leaks is not False or facts.run.conditions["protocol"] == "by_file":
        return front
    front["metrics"] = list(scores)
    about = f"{_test_set(facts)}, {facts.images} images of {facts.scenes} scenes"
    result = {
        "task": {"type": "image-to-image", "name": "Low-light image enhancement"},
        "dataset": {"name": about, "type": _test_set(facts), "split": facts.run.conditions["split"]},
        "metrics": [
            {"type": metric.key, "name": metric.headings[metric.key], "value": round(scores[metric.key], 4)}
            for metric in METRICS
            if metric.key in scores
        ],
    }
    return front | {"model-index": [{"name": name, "results": [result]}]}


def _test_set(facts: Facts) -> str:
    sets = (facts.run.manifest.get("data") or {}).get("sets") or {}
    folders = (folders_of(one) for one in sets.values() if one.get("test"))
    return _names({scored or source for source, scored in folders})


def _names(sources: Iterable[str]) -> str:
    return ", ".join(sorted(map(last_part, sources))) or "not recorded"


def _scores(facts: Facts) -> str:
    shown = [
        (heading, metric.decimals, key)
        for metric in (*METRICS, *OPTIONAL)
        if metric.main
        for key, heading in metric.headings.items()
        if key in facts.run.scores
    ]
    rows = [
        f"| {heading} | {facts.run.scores[key]:.{digits}f} | {_interval(facts.intervals.get(key), digits)} |"
        for heading, digits, key in shown
    ]
    size = facts.run.conditions["size"]
    about = (
        f"On {_count(facts.images, 'test image')} of {_count(facts.scenes, 'scene')} "
        f"({_cell(_test_set(facts))}), {size if size != 'native' else 'at native size'}, outputs rounded to "
        "8 bits; one seed. The intervals are 95 % bootstrap over scenes."
    )
    return "\n".join([about, "", "| | mean over images | interval |", "|---|--:|--:|", *rows])


def _interval(bounds: tuple[float, float] | None, decimals: int) -> str:
    if bounds is None or not all(map(math.isfinite, bounds)):
        return ""
    return f"{bounds[0]:.{decimals}f} to {bounds[1]:.{decimals}f}"


def _training(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield the rows of the table about the training; what no file tells is left out."""
    manifest = facts.run.manifest
    images = facts.data.get("images") or {}
    uses = {"train": "training", "val": "validation"}
    pairs = [f"{images[split]:,} for {use}" for split, use in uses.items() if images.get(split)]
    data = f"{facts.sets}: pairs, {' and '.join(pairs)}" if pairs else facts.sets
    yield "data", _cell(f"{data}; scored on {facts.only_scored}" if facts.only_scored else data)
    if start := facts.data.get("start_from"):
        yield "fine-tuned from", f"{_cell(_weights(str(start)))}, whose own training data come beside these"
    if manifest.get("epochs"):
        best = f"; weights of epoch {facts.run.best_epoch}" if facts.run.best_epoch else ""
        yield "epochs, seed", f"{manifest['epochs']}{best}; seed {facts.run.seed}"
    if manifest.get("train_minutes"):
        yield "time", f"{float(manifest['train_minutes']):.1f} minutes"
    machine = manifest.get("machine")
    if machine and facts.is_training:
        device = str(manifest.get("accelerator", "")).removesuffix("Accelerator")
        where = f"{machine.get('processor')}, {machine.get('cores')} cores, {machine.get('memory_gib')} GiB"
        yield "machine", _cell(f"{where}; trained on the {device}" if device else where)
    commit = f"`{str(manifest.get('commit'))[:12]}`" if manifest.get("commit") else "not recorded"
    commit += ", with uncommitted changes" if manifest.get("dirty") else ""
    versions = manifest.get("versions") or {}
    yield (
        "code" if facts.is_training else "code of the evaluation",
        f"lowlight {versions.get('lowlight')}, commit {commit}, torch {versions.get('torch')}",
    )
    if command := _command(manifest.get("command") or ()):
        yield "command" if facts.is_training else "command of the evaluation", f"`{_cell(command)}`"


def _weights(path: str) -> str:
    """Name weights by the last part of their path; a checkpoint's with its folder."""
    folder, _, name = path.rpartition("/")
    return f"{last_part(folder)}/{name}" if name.endswith(".ckpt") and folder else last_part(path)


def _command(parts: Sequence[str]) -> str:
    """Return a command by its verb and the settings that decide the result, without folders and addresses."""
    words = 2 if parts[:1] == ["lowlight"] else 1
    settings = (part for part in parts[words:] if _DECIDES.match(part) and not _ADDRESS.search(part))
    return " ".join([*map(last_part, parts[:words]), *map(_setting, settings)])


def _setting(text: str) -> str:
    key, equals, value = text.partition("=")
    return key + equals + without_folders(value)


def _limits(facts: Facts) -> Iterator[str]:
    """Yield what a user must know, as sentences in Markdown."""
    count = (facts.data.get("images") or {}).get("train")
    learnt = f"It learnt from {count:,} pairs" if count else "What it learnt from is not recorded"
    yield f"{learnt}; cameras, scenes and noise unlike them are not covered by the scores."
    if "embedded photographs" in facts.sets:
        yield "The dark images were computed from bright photographs; no camera took them."
    stopped = _STOPPED.get(facts.run.stopped)
    if stopped:
        yield f"Its training did not run to its end: {stopped}."
    yield {
        True: "**Test images show scenes of the training**, so the scores say little about new scenes.",
        False: "No test image shows a scene of the training.",
        None: "Whether test images show scenes of the training is not recorded.",
    }[facts.leaks]
    yield (
        f"The scores are of one seed on {_count(facts.images, 'image')}. They follow lowlight's definitions "
        "(`metrics.json`), and are no figures for a leaderboard."
    )
    yield "How bright a scene was can hardly be known from a dark photograph: the exposure is a guess."
    yield "What darkness and noise hide is made up. A result is no evidence of what was there."


def _licence(licence: str) -> str:
    if licence == RESEARCH_ONLY:
        return f"For research only: [{LICENCE}]({LICENCE})."
    return f"`{licence}`, for the weights. The photographs they learnt from may have a licence of their own."


def _cell(text: str) -> str:
    """Return a text for a cell of a Markdown table, in one line, that begins neither cell, code nor tag."""
    line = " ".join(text.split())
    return line.replace("|", "\\|").replace("`", "'").replace("<", "&lt;")


def _count(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
