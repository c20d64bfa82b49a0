"""Exported files of strangers: what they say and return is checked, and refused in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lowlight.memory import ran_out
from lowlight.methods import Supervised
from lowlight.runtimes.enhancer import ExportedEnhancer
from lowlight.runtimes.load import load_engine
from lowlight.runtimes.metadata import read_about
from lowlight.runtimes.torch_enhancer import TorchEnhancer

GOOD = {"stride": 4, "halo": 3, "method": "toy"}
LOW = torch.full((1, 3, 5, 6), 0.5)


@pytest.mark.parametrize("stride", [0, -1, 10**9, "4", 2.5, True, None, [4]])
def test_a_stride_is_a_sane_number_of_pixels(stride: Any) -> None:
    with pytest.raises(ValueError, match=r"^a\.onnx: its stride is .*, not from 1 to 4096$"):
        read_about(json.dumps(GOOD | {"stride": stride}), Path("a.onnx"))


@pytest.mark.parametrize("halo", [-1, 10**30, "3", 2.5, True, [3], {}])
def test_a_halo_is_a_sane_number_of_pixels_or_null(halo: Any) -> None:
    with pytest.raises(ValueError, match=r"^a\.onnx: its halo is .*, neither null nor from 0 to 65536$"):
        read_about(json.dumps(GOOD | {"halo": halo}), Path("a.onnx"))
    assert read_about(json.dumps(GOOD | {"halo": None}), Path("a.onnx"))["halo"] is None


@pytest.mark.parametrize("key", GOOD)
def test_missing_metadata_are_named(key: str) -> None:
    about = {name: value for name, value in GOOD.items() if name != key}
    with pytest.raises(ValueError, match=f"its {key} is 'missing'"):
        read_about(json.dumps(about), Path("a.onnx"))


@pytest.mark.parametrize("text", ["", "{", "[1]", '"text"', "5", "null", "[" * 10**5, b"\xff", 5])
def test_metadata_are_a_json_object(text: Any) -> None:
    with pytest.raises(ValueError, match=r"a\.onnx: its metadata are no JSON"):
        read_about(text, Path("a.onnx"))


def fail(low: np.ndarray) -> np.ndarray:
    raise KeyError(f"many\nlines, {low.shape}")


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (lambda low: low.mean(1, keepdims=True), r"returns \(1, 1, 8, 8\) for images of \(1, 3, 8, 8\)"),
        (lambda low: low[..., :4], "returns"),
        (lambda low: low.astype(np.float16), r"returns float16 for images of float32"),
        (lambda low: low.astype(int), r"returns int64"),
        (lambda low: torch.from_numpy(low), r"returns torch.float32 for images of float32"),
        (lambda low: low.tolist(), r"returns list"),
        (fail, r"fails on 8x8 pixels"),
    ],
)
def test_an_answer_is_an_image_of_the_same_shape_and_type(run: Any, said: str) -> None:
    with pytest.raises(ValueError, match=rf"^a\.onnx: {said}") as caught:
        ExportedEnhancer(run, GOOD, Path("a.onnx")).enhance(LOW)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("net", [nn.MaxPool2d(3), nn.Linear(7, 7), nn.Flatten()])
def test_a_network_of_torch_that_makes_no_image_is_refused_too(net: nn.Module) -> None:
    with pytest.raises(ValueError, match=f"^{type(net).__name__}: (fails|returns)"):
        TorchEnhancer(Supervised(net)).enhance(LOW)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("MPS backend out of memory (MPS allocated: 5.56 GB)."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] data. DefaultCPUAllocator: not enough memory"),
        RuntimeError("Failed to allocate memory for requested buffer of size 4096"),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_exhausted_memory_is_a_memory_error_whatever_the_device(error: Exception) -> None:
    def run(_: np.ndarray) -> np.ndarray:
        raise error

    with pytest.raises(MemoryError):  # answered by smaller tiles
        ExportedEnhancer(run, GOOD, Path("a.onnx")).enhance(LOW)


def test_torch_says_so_of_a_cpu() -> None:
    with pytest.raises(RuntimeError) as stop:
        torch.empty(2**60)
    assert ran_out(stop.value)


def onnx_file(path: Path, about: Any, *, inputs: int = 1, fails: bool = False) -> Path:
    """Write a small ONNX file with metadata; ``fails`` lets it fail when it is run."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    make, kind = onnx.helper, onnx.TensorProto
    images = [make.make_tensor_value_info(f"low{n}", kind.FLOAT, ["b", 3, "h", "w"]) for n in range(inputs)]
    node = make.make_node(*(("Reshape", ["low0", "s"], ["out"]) if fails else ("Relu", ["low0"], ["out"])))
    shape = [make.make_tensor("s", kind.INT64, [2], [7, 7])] if fails else []
    out = make.make_tensor_value_info("out", kind.FLOAT, None)
    graph = make.make_graph([node], "g", images, [out], shape)
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8)
    make.set_model_props(model, {"lowlight": json.dumps(about)})
    onnx.save(model, path)
    return path


def test_a_hostile_onnx_file_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    good = load_engine(onnx_file(path, GOOD))
    assert good.enhance(LOW).equal(LOW)
    assert good.enhance(LOW.half()).equal(LOW.half())
    with pytest.raises(ValueError, match="low must be RGB float"):
        good.enhance(LOW.byte())
    with pytest.raises(ValueError, match=r"a\.onnx: its stride is 0"):
        load_engine(onnx_file(path, GOOD | {"stride": 0}))
    with pytest.raises(ValueError, match=r"a\.onnx: a network of 2 inputs"):
        load_engine(onnx_file(path, GOOD, inputs=2))
    with pytest.raises(ValueError, match=r"a\.onnx: fails on 8x8 pixels") as caught:
        load_engine(onnx_file(path, GOOD, fails=True)).enhance(LOW)
    assert "\n" not in str(caught.value)
