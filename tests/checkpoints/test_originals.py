"""Published files of weights: read as data only, by name, and written again."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from typer.testing import CliRunner

import lowlight
from lowlight.checkpoints.originals import load_original_method, load_original_model
from lowlight.cli.enhance import app as enhance
from lowlight.cli.export import app as export
from lowlight.networks.iat import IAT
from lowlight.networks.nafnet import NAFNet
from lowlight.runtimes.export import export_original
from tests.networks.original_formula import dark_image, published_state

SMALL = "nafnet width=4 encoder_blocks=[1,1] decoder_blocks=[1,1] middle_blocks=1"


def small() -> NAFNet:
    return NAFNet(4, (1, 1), 1, (1, 1))


@pytest.fixture
def state() -> dict[str, Tensor]:
    return published_state(small())


@pytest.fixture
def file(state: dict[str, Tensor], tmp_path: Path) -> Path:
    torch.save({"params": state}, tmp_path / "nafnet.pth")
    return tmp_path / "nafnet.pth"


def expected(low: Tensor) -> Tensor:
    net = small().eval()
    net.load_original(published_state(net))
    with torch.inference_mode():
        return net(low).clamp(0, 1)


def test_a_published_file_enhances(file: Path) -> None:
    low = dark_image(12, 16)
    torch.testing.assert_close(load_original_model(file, SMALL).enhance(low), expected(low))
    torch.testing.assert_close(lowlight.load(file, original=SMALL).enhance(low), expected(low))


@pytest.mark.parametrize("legacy", [False, True])
def test_older_files_and_safetensors_are_read(legacy: bool, state: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / ("net.pth" if legacy else "net.safetensors")
    if legacy:
        torch.save(state, path, _use_new_zipfile_serialization=False)
    else:
        save_file(state, path)
    assert load_original_model(path, SMALL).parameter_count == sum(value.numel() for value in state.values())


def test_the_whole_method_can_be_trained_further(file: Path) -> None:
    method = load_original_method(file, SMALL)
    assert method.recipe is not None
    assert method.recipe["net"]["width"] == 4
    assert method.configure_optimizers()["optimizer"].param_groups[0]["betas"] == (0.9, 0.9)


def break_archive(path: Path, _: dict[str, Tensor]) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def wrap(change: Callable[[dict[str, Any]], object]) -> Callable[[Path, dict[str, Tensor]], None]:
    def spoil(path: Path, state: dict[str, Tensor]) -> None:
        changed = dict(state)
        change(changed)
        torch.save({"params": changed}, path)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (break_archive, "not a checkpoint|refused"),
        (wrap(lambda state: state.update(path=Path("x"))), "refused, broken or holding objects"),
        (wrap(lambda state: state.update(epoch=3)), "no named tensor: 'epoch'"),
        (
            wrap(lambda state: [state.pop("intro.bias"), state.update(head=torch.ones(1))]),
            "intro.bias is missing; head is unknown",
        ),
        (
            wrap(lambda state: state["intro.bias"].fill_(np.nan)),
            "intro.bias holds values that are not finite",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_line(
    spoil: Callable[[Path, dict[str, Tensor]], None], message: str, file: Path, state: dict[str, Tensor]
) -> None:
    spoil(file, state)
    with pytest.raises(ValueError, match=message) as caught:
        load_original_model(file, SMALL)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_a_mapping_that_holds_itself_is_refused(file: Path) -> None:
    endless: dict[str, Any] = {}
    endless["params"] = endless
    torch.save(endless, file)
    with pytest.raises(ValueError, match="no named tensor: 'params'"):
        load_original_model(file, SMALL)


def test_what_needs_no_as_says_so(tmp_path: Path) -> None:
    for model in (tmp_path, "coarse_to_fine"):
        with pytest.raises(ValueError, match="no file of published weights; leave --as out"):
            load_original_model(model, SMALL)
    with pytest.raises(ValueError, match=r"a\.pth: no such file"):
        load_original_model(tmp_path / "a.pth", SMALL)


def test_a_published_file_is_written_as_what_it_is(file: Path, tmp_path: Path) -> None:
    method = load_original_method(file, SMALL)
    with pytest.raises(ValueError, match=r"a\.safetensors: a file for original must end in \.pth, \.pt"):
        export_original(method, tmp_path / "a.safetensors")


def test_an_archive_that_would_unpack_to_more_is_refused(file: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    with pytest.raises(ValueError, match="unpack to more"):
        load_original_model(file, SMALL)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("nafnets", r"'nafnets' is no method; these have: .*retinexformer.*; did you mean nafnet\?"),
        ("gamma", "gamma has no published weights; these have: .*iat"),
        ("autoencoder", "autoencoder has no published weights"),
        ("nafnet width", "'width' is no argument such as width=64"),
        ("nafnet breadth=4", "breadth"),
        ("nafnet width=0", "width of at least 1"),
        ("nafnet", r"nafnet.pth: the state dict does not fit this NAFNet: .*are missing"),
    ],
)
def test_a_kind_that_is_none_is_refused(kind: str, message: str, file: Path) -> None:
    with pytest.raises(ValueError, match=message):
        load_original_model(file, kind)


def test_commands_read_and_write_published_files(tmp_path: Path, file: Path) -> None:
    """A published file becomes a folder of ours, which becomes the published file again."""
    run = CliRunner().invoke
    dark = tmp_path / "dark.png"
    Image.fromarray((dark_image(24, 32)[0].permute(1, 2, 0) * 255).to(torch.uint8).numpy()).save(dark)
    made = run(
        enhance,
        [str(dark), "--checkpoint", str(file), "--as", SMALL, "--no-fail-safe", "--out", str(tmp_path / "o")],
    )
    assert made.exit_code == 0, made.output
    assert (tmp_path / "o" / "dark.png").exists()
    folder, again = tmp_path / "pretrained", tmp_path / "again.pth"
    steps = [
        [str(file), "--as", SMALL, "--format", "pretrained", "--out", str(folder)],
        [str(folder), "--format", "original", "--out", str(again)],
    ]
    for step in steps:
        made = run(export, step)
        assert made.exit_code == 0, made.output
    before, after = (torch.load(path, weights_only=True)["params"] for path in (file, again))
    assert list(before) == list(after)
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_commands_say_what_is_wrong(tmp_path: Path) -> None:
    torch.save(published_state(IAT()), tmp_path / "iat.pth")
    run = CliRunner().invoke
    dark = tmp_path / "dark.png"
    Image.new("RGB", (8, 8)).save(dark)
    out = ["--out", str(tmp_path / "o")]
    missing = run(enhance, [str(dark), "--as", "iat", *out])
    assert "--as iat says what a file of weights is: give it by --checkpoint" in missing.output
    wrong = run(enhance, [str(dark), "--checkpoint", str(tmp_path / "iat.pth"), "--as", "nafnet", *out])
    assert "does not fit this NAFNet" in wrong.output
    assert wrong.exit_code != 0
    none = run(export, ["coarse_to_fine", "--format", "original", "--out", str(tmp_path / "c.pth")])
    assert "coarse_to_fine has no published form" in none.output
    assert not (tmp_path / "c.pth").exists()
