"""Running a method's network in another runtime, without a file to keep."""

import copy
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lowlight.model import Model, evaluating
from lowlight.runtimes.enhancer import Enhancer, open_exported
from lowlight.runtimes.export import errors_in_one_line, export, trace
from lowlight.runtimes.table import runtime_named
from lowlight.runtimes.torch_enhancer import TorchEnhancer


def accelerate(
    method: Model, runtime: str, *, calibrate: Sequence[Tensor] | None = None, device: str = "cpu"
) -> Enhancer:
    """Return an enhancer whose network runs in another runtime; setting it up takes seconds.

    A network that names ``parts``, as :class:`lowlight.networks.CoarseToFine` does, keeps what is around
    them in torch, so that large photographs are enhanced in tiles as before. Any other is exported whole.

    Args:
        method: The method, on the CPU; it is left as it is.
        runtime: ``openvino`` or ``onnx``.
        calibrate: Dark photographs of shape (1, 3, H, W) in [0, 1]; if given, convolutions compute in 8-bit
            integers, with ranges chosen on these; the enhancer's ``note`` says how far its results are off.
        device: Device of the runtime, as for :func:`lowlight.runtimes.enhancer.open_exported`.

    Raises:
        ValueError: If there is no such runtime, it cannot run the network or has no integers, or packages are
            missing.
    """
    known = runtime_named(runtime)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, evaluating(method.net):
        if parts := getattr(method.net, "parts", ()):
            # Measured in torch and copied: another runtime may swallow the NaN that the measurement follows.
            _ = method.halo, TorchEnhancer(method, "fp32").tiling
            faster = copy.deepcopy(method).eval()
            faster.bytes_per_pixel = None
            examples = _inputs(method, parts, [torch.rand(2, 3, 4 * method.stride, 6 * method.stride) / 4])
            seen = _inputs(method, parts, calibrate or ())
            for part in parts:
                path = Path(folder) / f"{part}{known.suffix}"
                inputs = None if calibrate is None else [features.numpy() for features in seen[part]]
                with errors_in_one_line(f"{method.name} cannot run in {runtime}", known):
                    program = trace(method.net.get_submodule(part), examples[part][0])
                    known.save(program, path, "{}", inputs)
                    faster.net.set_submodule(part, _Part(known.open(path, device).run))
            enhancer: Enhancer = TorchEnhancer(faster, "fp32")
        else:
            path = Path(folder) / f"net{known.suffix}"
            export(method, path, runtime, calibrate=calibrate)
            enhancer = open_exported(path, device)
    if calibrate:
        enhancer.note = (
            f"8-bit integers: results are {psnr_to_torch(method, enhancer, calibrate):.1f} dB from those of "
            f"32-bit floats, on the {len(calibrate)} photographs that they were calibrated on"
        )
    return enhancer


def psnr_to_torch(method: Model, enhancer: Enhancer, images: Sequence[Tensor]) -> float:
    """Return the PSNR in dB between an enhancer's results and the method's, of the images' mean errors."""
    with torch.inference_mode():
        errors = [(enhancer.enhance(low) - method.enhance(low)).square().mean() for low in images]
    return float(-10 * torch.stack(errors).mean().clamp(min=1e-12).log10())


class _Part(nn.Module):
    """A part of a network that another runtime runs."""

    def __init__(self, run: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> None:
        super().__init__()
        self.run = run

    def forward(self, features: Tensor) -> Tensor:
        return torch.from_numpy(self.run(features.float().cpu().numpy())).to(features.device)


def _inputs(method: Model, parts: Sequence[str], images: Sequence[Tensor]) -> dict[str, list[Tensor]]:
    """Return what each part of a network is given for each image."""
    seen: dict[str, list[Tensor]] = {part: [] for part in parts}
    with ExitStack() as stack, torch.no_grad():
        for part in parts:

            def keep(_: nn.Module, given: tuple[Tensor, ...], part: str = part) -> None:
                seen[part].append(given[0].contiguous())

            stack.callback(method.net.get_submodule(part).register_forward_pre_hook(keep).remove)
        for low in images:
            method.enhance(low)
    return seen
