"""The code of the pages works as written: Python runs, commands and settings exist."""

import functools
import re
import shlex
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import typer
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from torch import nn

import lowlight
import lowlight.data
from lowlight.cli import HYDRA_VERBS, VERBS
from lowlight.config import available, config_folder, register_resolvers
from lowlight.runtimes.export import export
from tests.conftest import photograph
from tests.docs.pages import PAGES, ROOT, blocks, calls, write_files
from tests.tiny import tiny


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lol: Path) -> Path:
    """Return the current folder, with the runs and files that the pages speak of, all small."""
    monkeypatch.chdir(tmp_path)
    method = tiny("mirnet")
    (tmp_path / "outputs" / "mirnet").mkdir(parents=True)
    torch.save({"state_dict": method.state_dict(), "recipe": method.recipe}, "outputs/mirnet/best.ckpt")
    data = partial(lowlight.data.PairDataModule, lol, batch_size=2, patch_size=32)
    monkeypatch.setattr(lowlight.data, "PairDataModule", data)
    quiet = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False}
    monkeypatch.setattr(pl, "Trainer", partial(pl.Trainer, **quiet))
    return tmp_path


def run_python(page: str) -> dict[str, Any]:
    """Run a page's Python, one block after the other, and return its names."""
    names: dict[str, Any] = {}
    for block in blocks(ROOT / page, "python"):
        if block.file is None:
            exec(compile(block.text, page, "exec"), names)
    return names


def test_the_enhancing_examples_enhance(folder: Path) -> None:
    for name in ("dark.jpg", "dusk.jpg"):
        Image.fromarray(photograph(3) // 6).save(folder / name)
    with Image.open("dark.jpg") as dark:
        low = np.asarray(dark)
    trained = lowlight.enhance(low, tiny("mirnet").eval(), strength=0.8)
    assert np.array_equal(run_python("README.md")["bright"], trained)
    exported = tiny("autoencoder").eval()
    export(exported, folder / "coarse_to_fine.onnx", "onnx")
    names = run_python("docs/enhance.md")
    wanted = exported.enhance(torch.from_numpy(names["low"]))
    assert np.allclose(names["enhanced"], wanted.detach(), atol=1e-4)
    assert np.array_equal(names["bright"], names["image"])
    assert np.asarray(names["bright"]).mean() > 2 * low.mean()
    assert (names["reason"], names["notes"]) == (None, ())
    lime = lowlight.enhance(low, "lime", strength=0.8)
    assert all(np.array_equal(image, lime) for image in names["several"])


def test_the_training_example_trains_and_enhances(folder: Path) -> None:
    names = run_python("docs/train.md")
    assert isinstance(names["method"], pl.LightningModule)
    assert isinstance(names["method"].net, nn.Module)
    assert names["method"].enhance(torch.rand(1, 3, 9, 5)).shape == (1, 3, 9, 5)


def test_every_page_with_python_is_run_by_a_test() -> None:
    run = {"README.md", "docs/enhance.md", "docs/train.md"}
    found = {page for page in PAGES if any(block.file is None for block in blocks(page, "python"))}
    assert {page.relative_to(ROOT).as_posix() for page in found} == run


def test_no_line_of_code_is_wider_than_the_site() -> None:
    lines = [
        line for page in PAGES for block in blocks(page, "bash", "python") for line in block.text.splitlines()
    ]
    assert [line for line in lines if len(line) > 92] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_exists(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PWD", str(tmp_path))
    write_files(page, tmp_path)
    for verb, arguments in calls(page):
        assert verb in VERBS
        if verb in HYDRA_VERBS:
            folders = [page.parent, tmp_path]
            compose_call(verb, arguments, folders)
        else:
            parse(verb, arguments)


def parse(verb: str, arguments: list[str]) -> None:
    """Parse a Typer verb's arguments without running it; what is unknown raises."""
    command: Any = typer.main.get_command(import_module(f"lowlight.cli.{verb}").app)
    context = command.make_context(verb, list(arguments))
    if hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, arguments)
        command.make_context(name, rest, parent=context)


def compose_call(verb: str, arguments: list[str], folders: list[Path]) -> None:
    """Compose a Hydra verb's config, a sweep's with the first value of each list; what is unknown raises."""
    overrides, configs, words = [], ["conf"], iter(arguments)
    for word in words:
        if word == "--config-dir":
            configs.append(next(words))
        elif word == "--cfg":
            assert next(words) in ("job", "hydra", "all")
        elif word != "-m":
            overrides.append(word)
    places = [folder / config for folder in folders for config in configs]
    paths = ",".join(f"file://{place}" for place in places if place.is_dir())
    composed(verb, [*overrides, f"hydra.searchpath=[{paths}]"])


def composed(verb: str, overrides: list[str]) -> DictConfig:
    register_resolvers()
    parsed = OverridesParser.create().parse_overrides(overrides)
    single = [first_value(one) if one.is_sweep_override() else str(one.input_line) for one in parsed]
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return compose(verb, overrides=single, return_hydra_config=True)


def first_value(override: Override) -> str:
    return f"{override.get_key_element()}={next(override.sweep_string_iterator())}"


def settings() -> list[str]:
    """Return what the first column of the tables of settings names, alternatives one by one."""
    found = []
    for row in re.findall(r"^\| (`.*?`) \| ", (ROOT / "docs" / "train.md").read_text(), re.MULTILINE):
        for code in re.findall(r"`([^`]+)`", row.replace("\\|", "|")):
            key, equals, values = code.partition("=")
            if equals and "|" in values:
                found += [f"{key}={value}" for value in values.split("|")]
            elif equals:
                found.append(code)
    return found


@functools.cache
def everything() -> list[DictConfig]:
    """Return configs that have, together, every key that a setting may name."""
    contexts = [
        ["data=lol", "logger=all", "schedule=warmup_cosine"],
        ["logger=mlflow"],
        ["method=gan", "callbacks=[default,ema,early_stopping]"],
    ]
    return [composed("train", context) for context in contexts]


@pytest.mark.parametrize("setting", settings())
def test_every_setting_of_the_tables_exists(setting: str) -> None:
    for override in OverridesParser.create().parse_overrides(shlex.split(setting)):
        key, value = override.key_or_group, override.value()
        if (config_folder() / key).is_dir():
            assert set(value if isinstance(value, list) else [value]) <= set(available(key))
        else:
            parent, _, name = key.rpartition(".")
            nodes = [OmegaConf.select(config, parent) if parent else config for config in everything()]
            assert name in [known for node in nodes if node is not None for known in node.keys()]  # noqa: SIM118
