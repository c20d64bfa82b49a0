"""Files of strangers are refused in one line, before memory is allocated for what they claim."""

import json
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lowlight.checkpoints import load, load_method, save_pretrained
from tests.checkpoints.test_load import save
from tests.tiny import tiny

METHOD = tiny("autoencoder")
RECIPE: dict[str, Any] = METHOD.recipe or {}
WEIGHTS = METHOD.state_dict()
FIRST = "net.down.0.0.weight"


def refusal(path: Path) -> str:
    """Return the one line with which a file is refused, at once."""
    started = time.perf_counter()
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        load_method(path)
    assert time.perf_counter() - started < 3  # a tenth of it, on a machine that does nothing else
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("weights", [None, [1], "text", {1: torch.zeros(1)}, {"a": "text"}, {("a",): None}])
def test_a_state_dict_that_is_none_is_refused(weights: Any, tmp_path: Path) -> None:
    torch.save({"state_dict": weights, "recipe": RECIPE}, tmp_path / "a.ckpt")
    assert "its state_dict" in refusal(tmp_path / "a.ckpt")


def nested(levels: int, width: int = 1) -> Any:
    """Return lists in lists; the same object stands ``width`` times in each."""
    value: Any = "x"
    for _ in range(levels):
        value = [value] * width
    return value


def endless() -> list[Any]:
    """Return a list that contains itself."""
    loop: list[Any] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"net": RECIPE["net"] | {1: 2}}, "a key that is no text: 1"),
        ({"net": RECIPE["net"] | {None: 2}}, "a key that is no text: None"),
        ({"loss": endless()}, "nested more than 32 levels deep"),
        ({"loss": nested(200)}, "nested more than 32 levels deep"),
        ({"loss": nested(12, width=10)}, "more than 10,000 values"),
        ({"net": RECIPE["net"] | {"_partial_": "yes"}}, "bad _partial_: 'yes'"),
        ({"_recursive_": None}, "bad _recursive_: None"),
        ({"_recursive_": {"a": 1}}, "bad _recursive_"),
        ({"_convert_": ["all"]}, "bad _convert_"),
        ({"_convert_": "odd"}, "bad _convert_: 'odd'"),
        ({"_args_": {"a": 1}}, "bad _args_"),
        ({"net": RECIPE["net"] | {"channels": "???"}}, "leaves a value open"),
        ({"_recursive_": False}, "cannot be built"),
        ({"net": RECIPE["net"] | {"_partial_": True}}, "cannot be built"),
        ({"net": RECIPE["net"] | {"channels": "many"}}, "cannot be built"),
        ({"net": RECIPE["net"] | {"other": 1}}, "cannot be built"),
        ({"net": 1.5}, "cannot be built"),
    ],
)
def test_an_odd_recipe_is_refused(more: dict[str, Any], said: str, tmp_path: Path) -> None:
    assert said in refusal(save(tmp_path / "a.ckpt", RECIPE | more, WEIGHTS))


@pytest.mark.parametrize("recipe", ["text", [1], 5])
def test_a_recipe_that_is_no_mapping_is_refused(recipe: Any, tmp_path: Path) -> None:
    assert "not a mapping" in refusal(save(tmp_path / "a.ckpt", recipe, WEIGHTS))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda weight: weight * torch.nan, "holds values that are not finite"),
        (lambda weight: weight + torch.inf, "holds values that are not finite"),
        (lambda weight: weight.double() + 1e300, "holds values that are not finite"),  # in 32 bits
        (lambda weight: weight.to(torch.complex64), "is of type complex64, not float32"),
        (lambda weight: weight.bool(), "is of type bool, not float32"),
        (lambda weight: weight.int(), "is of type int32, not float32"),
        (lambda weight: weight.to_sparse(), "is no plain tensor"),
        (lambda weight: weight.to("meta"), "is no plain tensor"),
    ],
)
def test_weights_that_are_no_finite_numbers_are_refused_by_name(
    change: Callable[[Tensor], Tensor], said: str, tmp_path: Path
) -> None:
    path = save(tmp_path / "a.ckpt", RECIPE, WEIGHTS | {FIRST: change(WEIGHTS[FIRST])})
    assert f"{FIRST} {said}" in refusal(path)


def test_a_running_count_stays_an_integer(tmp_path: Path) -> None:
    name = next(name for name in WEIGHTS if name.endswith("num_batches_tracked"))
    path = save(tmp_path / "a.ckpt", RECIPE, WEIGHTS | {name: torch.tensor(2.5)})
    assert f"{name} is of type float32, not int64" in refusal(path)


def test_weights_of_16_bits_are_read(tmp_path: Path) -> None:
    halves = {name: one.half() if one.is_floating_point() else one for name, one in WEIGHTS.items()}
    loaded = load(save(tmp_path / "a.ckpt", RECIPE, halves)).state_dict()
    torch.testing.assert_close(loaded[FIRST], halves[FIRST].float(), rtol=0, atol=0)


@pytest.mark.parametrize(
    "net",
    [
        RECIPE["net"] | {"channels": [10**9] * 5},
        RECIPE["net"] | {"channels": [30_000] * 5},
        {"_target_": "lowlight.networks.MIRNet", "channels": 8, "groups": 10**9, "reduction": 2},
        {"_target_": "lowlight.networks.MIRNet", "channels": 8, "groups": 60_000, "reduction": 2},
        {"_target_": "lowlight.networks.UNet", "channels": 1, "depth": 60_000},
        {"_target_": "lowlight.networks.UNet", "channels": 1, "depth": 10**9},
        {"_target_": "torch.nn.Linear", "in_features": 60_000, "out_features": 60_000},
        {"_target_": "torch.nn.Transformer", "d_model": 8, "nhead": 1, "num_encoder_layers": 60_000},
    ],
)
def test_a_network_larger_than_its_weights_is_refused_before_it_is_allocated(
    net: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices: set[str] = set()
    register = nn.Module.register_parameter

    def watched(self: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        devices.add("none" if parameter is None else parameter.device.type)
        register(self, name, parameter)

    path = save(tmp_path / "a.ckpt", RECIPE | {"net": net}, WEIGHTS)
    monkeypatch.setattr(nn.Module, "register_parameter", watched)
    refusal(path)
    assert "cpu" not in devices


def test_one_stored_value_is_not_many_weights(tmp_path: Path) -> None:
    path = save(tmp_path / "a.ckpt", RECIPE, WEIGHTS | {FIRST: torch.zeros(1).expand(WEIGHTS[FIRST].shape)})
    assert "it needs 7,209 weights, and the file holds 6,994" in refusal(path)


def test_one_stored_value_is_not_spread_over_the_memory(tmp_path: Path) -> None:
    path = save(tmp_path / "a.ckpt", RECIPE, WEIGHTS | {FIRST: torch.zeros(1).expand(2**42)})
    assert FIRST.removeprefix("net.") in refusal(path)


def test_a_discriminator_that_is_not_in_the_file_is_of_sane_size(tmp_path: Path) -> None:
    save_pretrained(tiny("gan").eval(), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["recipe"]["discriminator"]["channels"] = 4000
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert "larger than the file's weights" in refusal(tmp_path)


@pytest.mark.parametrize("text", ["[" * 10**5, '{"recipe": ' + '{"a":' * 500 + "1" + "}" * 501])
def test_deep_json_is_refused(text: str, tmp_path: Path) -> None:
    save_pretrained(tiny("gamma").eval(), tmp_path)
    (tmp_path / "config.json").write_text(text)
    refusal(tmp_path)


@pytest.mark.parametrize(
    ("about", "size"),
    [
        ({"a": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4]}}, None),
        ({"a": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}}, None),
        ({"a": {"dtype": "F32", "shape": [2**63, 2**63], "data_offsets": [0, 4]}}, None),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, 2**60),
    ],
)
def test_a_lying_safetensors_header_is_refused(about: Any, size: int | None, tmp_path: Path) -> None:
    save_pretrained(tiny("gamma").eval(), tmp_path)
    header = json.dumps(about).encode()
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", size or len(header)) + header + b"1234")
    assert "not a safetensors file" in refusal(tmp_path)


def test_flipped_bytes_in_the_middle_of_a_checkpoint_are_noticed(tmp_path: Path) -> None:
    path = save(tmp_path / "a.ckpt", RECIPE, WEIGHTS)
    with zipfile.ZipFile(path) as archive:
        entry = max(archive.infolist(), key=lambda entry: entry.file_size * ("/data/" in entry.filename))
    content = bytearray(path.read_bytes())
    content[entry.header_offset + entry.file_size // 2] ^= 1
    path.write_bytes(content)
    assert f"damaged: the checksum of {entry.filename} differs" in refusal(path)


def test_an_archive_that_unpacks_to_more_than_its_size_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.ckpt", RECIPE, WEIGHTS)
    bomb = tmp_path / "bomb.ckpt"
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            after.writestr(name, bytes(2**24) if name.endswith("data/0") else before.read(name))
    assert "unpack to more than its size" in refusal(bomb)


def run_folder(folder: Path, config: str) -> Path:
    """Write a run folder that holds a config only."""
    folder.mkdir()
    (folder / "config.yaml").write_text(config)
    return folder


def test_a_run_that_names_itself_as_its_checkpoint_is_refused(tmp_path: Path) -> None:
    assert "leads back to it" in refusal(run_folder(tmp_path / "a", f"checkpoint: '{tmp_path / 'a'}'\n"))
    run_folder(tmp_path / "b", f"checkpoint: '{tmp_path / 'c' / '..' / 'c'}'\n")
    assert "leads back to it" in refusal(run_folder(tmp_path / "c", f"checkpoint: '{tmp_path / 'b'}'\n"))


def test_a_scored_checkpoint_is_followed_through_evaluations(tmp_path: Path) -> None:
    trained = run_folder(tmp_path / "trained", "method: {}\n")
    save(trained / "best.ckpt", RECIPE, WEIGHTS)
    scored = run_folder(tmp_path / "scored", f"checkpoint: '{trained}'\n")
    again = run_folder(tmp_path / "again", f"checkpoint: '{scored}'\n")
    low = torch.rand(1, 3, 8, 8)
    assert load_method(again).enhance(low).equal(METHOD.enhance(low))


@pytest.mark.parametrize(
    "config",
    [
        "checkpoint: 5\n",
        "checkpoint: [a]\n",
        "checkpoint: ${oc.env:HOME}\n",
        "method: !!python/object/apply:os.system [ls]\n",
        "method: ${method}\n",
        "method: ???\n",
        "method: &a [*a]\n",
        "a: &a [x, x]\nb: &b [*a, *a]\nmethod: [*b, *b]\n",
        "method: " + "[" * 500 + "]" * 500,
        "- a\n",
        "text",
        "\0",
        "a: [\n",
        "method: text\n",
        "method: {_target_: lowlight.methods.Classical, function: "
        "{_target_: lowlight.methods.classical.gamma, _partial_: true, exponent: text}}\n",
    ],
)
def test_an_odd_config_of_a_run_is_refused(config: str, tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", config)
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        load_method(folder)
    assert "\n" not in str(caught.value)
