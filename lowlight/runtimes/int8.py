"""8-bit integers: static quantisation of an OpenVINO model's convolutions."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

OUTPUT_AXES = {
    "Convolution": (0,),
    "GroupConvolution": (0, 1),
    "ConvolutionBackpropData": (1,),
    "GroupConvolutionBackpropData": (0, 2),
}
"""OpenVINO's types of convolutions, the last two transposed, and the axes of their weights' outputs."""

CLIPS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1)
"""Shares of the extremes seen that are tried as the ends of a range."""

SAMPLES = 50_000
"""Values of a tensor, evenly spaced, that choose its range, per photograph."""


def quantise(core: Any, model: Any, inputs: Iterable[NDArray[Any]]) -> None:
    """Quantise the inputs and weights of all convolutions with constant weights, in place.

    A convolution's input gets 256 levels over one range that includes zero: the range, among :data:`CLIPS`
    below and above zero, with the smallest squared error on the values seen. Weights get 127 levels per
    output channel, symmetric about zero, and not the 255 that 8 bits have: without VNNI, a CPU adds two
    products in 16 bits, and larger ones overflow (coarse_to_fine then loses 0.7 dB instead of 0.05).
    Sums, activations and all else stay in 32 bits.

    Args:
        core: The ``openvino.Core``.
        model: The ``openvino.Model``, of one input.
        inputs: Its inputs on a few photographs.

    Reference:
        Jacob et al., 2018, "Quantization and training of neural networks for efficient
        integer-arithmetic-only inference"; ranges by squared error are those of Nagel et al., 2021, "A white
        paper on neural network quantization", section 3.1.
    """
    nodes = (node for node in model.get_ordered_ops() if node.get_type_name() in OUTPUT_AXES)
    weighted = [(node, weights) for node in nodes if (weights := _weights(node)) is not None]
    seen = _seen(core, model, [convolution for convolution, _ in weighted], inputs)
    for (convolution, weights), values in zip(weighted, seen, strict=True):
        low, high = best_range(values)
        _insert(convolution, 0, low, high, levels=256)
        outputs = OUTPUT_AXES[convolution.get_type_name()]
        inner = tuple(axis for axis in range(weights.ndim) if axis not in outputs)
        bound = np.maximum(np.abs(weights).max(axis=inner, keepdims=True), 1e-12)
        _insert(convolution, 1, -2 * bound, 2 * bound, levels=255)  # of which 127 lie within the bound
    model.validate_nodes_and_infer_types()


def _weights(convolution: Any) -> NDArray[Any] | None:
    """Return the weights of a convolution, which are reshaped to groups if it has any; None if computed."""
    source = convolution.input_value(1)
    node = source.get_node()
    if node.get_type_name() == "Reshape":
        node = node.input_value(0).get_node()
    if node.get_type_name() != "Constant":
        return None
    return np.asarray(node.data, np.float32).reshape(source.get_shape())


def best_range(values: NDArray[Any]) -> tuple[float, float]:
    """Return the range whose 256 levels, zero among them, have the smallest squared error on some values."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    if low == high:
        return 0.0, 1.0
    ranges = {_with_zero(low * below, high * above) for below in CLIPS for above in CLIPS}
    return min(sorted(ranges), key=lambda ends: _squared_error(values, *ends))


def _with_zero(low: float, high: float) -> tuple[float, float]:
    """Shift a range by less than a level so that zero, which padding consists of, is one."""
    step = (high - low) / 255
    below = round(-low / step)
    return -below * step, (255 - below) * step


def _squared_error(values: NDArray[Any], low: float, high: float) -> float:
    step = (high - low) / 255
    levels = np.rint((np.clip(values, low, high) - low) / step)
    return float(np.square(levels * step + low - values).mean())


def _seen(
    core: Any, model: Any, convolutions: Sequence[Any], inputs: Iterable[NDArray[Any]]
) -> list[NDArray[Any]]:
    """Return values of each convolution's input."""
    watched = model.clone()
    nodes = {node.get_friendly_name(): node for node in watched.get_ordered_ops()}
    names = [convolution.get_friendly_name() for convolution in convolutions]
    watched.add_outputs([nodes[name].input_value(0) for name in names])
    compiled = core.compile_model(watched, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    outputs = compiled.outputs[len(model.outputs) :]
    seen: list[list[NDArray[Any]]] = [[] for _ in outputs]
    for given in inputs:
        result = compiled(given)
        for values, output in zip(seen, outputs, strict=True):
            flat = result[output].ravel()
            values.append(flat[:: max(1, flat.size // SAMPLES)].copy())
    return [np.concatenate(values) for values in seen]


def _insert(convolution: Any, place: int, low: Any, high: Any, *, levels: int) -> None:
    """Quantise an input of a convolution, which the runtime then computes in integers."""
    from openvino import opset13

    ends = [opset13.constant(np.asarray(end, np.float32)) for end in (low, high, low, high)]
    quantised = opset13.fake_quantize(convolution.input_value(place), *ends, levels)
    convolution.input(place).replace_source_output(quantised.output(0))
