"""Arithmetic precision: what a device computes in hardware, and what ``auto`` stands for.

Imports torch when a device is asked, since exported networks, which name ``auto`` too, do without.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch
    from omegaconf import DictConfig

log = logging.getLogger(__name__)

AUTO = "auto"

DTYPES = {"fp32": None, "bf16": "bfloat16", "fp16": "float16"}
"""Precisions of inference and torch's names of their autocast types; None for no autocast."""


WITHOUT_FLOAT64 = frozenset({"mps"})
"""Device types on which torch refuses tensors of double precision: Apple's GPUs."""


class Precision(NamedTuple):
    """A training precision and where it comes from."""

    asked: str
    """Setting of ``trainer.precision``."""
    used: str
    """Precision that Lightning is given."""
    why: str
    """What the device computes, as a clause."""
    emulated: bool
    """Whether 16 bits are asked for by name on a CPU that emulates them (16-mixed is bf16-mixed there)."""


def in_double(device: "torch.device") -> "torch.device":
    """Return where to compute in double precision what is on a device: there if it can, else on the CPU."""
    import torch

    return torch.device("cpu") if device.type in WITHOUT_FLOAT64 else device


def computes_bf16(device: str) -> tuple[bool, str]:
    """Return whether a device computes bfloat16 in hardware, and the reason as a clause.

    Args:
        device: Device type; anything but ``cpu`` and ``cuda`` counts as not computing it.

    A CPU needs AVX512-BF16 or AMX, and torch must be free to use them: ``ATEN_CPU_CAPABILITY`` and
    ``ONEDNN_MAX_CPU_ISA`` can limit it. A GPU needs compute capability 8.0; of several, all need it.
    """
    import torch

    if device == "cuda":
        gpus = range(torch.cuda.device_count())
        least = min((torch.cuda.get_device_capability(index) for index in gpus), default=(0, 0))
        known = f"a GPU of compute capability {least[0]}.{least[1]}"
        if least >= (8, 0):
            return True, f"{known} computes bfloat16"
        return False, f"{known} does not compute bfloat16, which needs 8.0"
    if device != "cpu":
        return False, f"bfloat16 has not been tried on {device}"
    used = torch.backends.cpu.get_cpu_capability()
    if not _has_bf16_instructions():
        return False, f"this CPU has no AVX512-BF16 or AMX and would emulate bfloat16 (torch uses {used})"
    if not used.startswith("AVX512") or not _onednn_computes_bf16():
        return False, f"torch may not use this CPU's bfloat16 instructions and would emulate them ({used})"
    return True, "this CPU computes bfloat16 (AVX512-BF16 or AMX)"


def training_precision(trainer: "Mapping[str, Any] | DictConfig") -> Precision:
    """Resolve a trainer config's precision: ``auto`` is bf16-mixed where hardware computes it, else 32-true.

    Args:
        trainer: Config of the trainer; reads ``precision`` and ``accelerator``.
    """
    asked = str(trainer.get("precision") or "32-true")
    if asked != AUTO and "16" not in asked:
        return Precision(asked, asked, "set by name", emulated=False)
    device = _device_of(str(trainer.get("accelerator") or AUTO))
    computed, why = computes_bf16(device)
    used = asked if asked != AUTO else "bf16-mixed" if computed else "32-true"
    return Precision(asked, used, why, emulated=asked != AUTO and device == "cpu" and not computed)


def report(precision: Precision) -> None:
    """Log what ``auto`` has become, or that a precision asked for by name is emulated."""
    if precision.asked == AUTO:
        log.info("trainer.precision=auto: %s, since %s", precision.used, precision.why)
    elif precision.emulated:
        log.warning(
            "trainer.precision=%s: %s; training may take ten times as long as with 32-true: "
            "trainer.precision=auto chooses the faster one",
            precision.asked,
            precision.why,
        )


def inference_dtype(precision: str, device: str) -> "torch.dtype | None":
    """Return the autocast type of inference; None for float32 throughout.

    ``auto`` is float32 on every device. A lower precision must keep every output within one level of 255 of
    float32's and be faster. On 12 photographs of LOL, bfloat16 moves outputs of coarse_to_fine by up to two
    levels; float16 stays within one, but CPUs emulate it, and no GPU has been measured.

    Args:
        precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``.
        device: Device type; a warning is logged if it is a CPU that emulates the precision.

    Raises:
        ValueError: If there is no such precision.
    """
    if precision == AUTO:
        return None
    if precision not in DTYPES:
        raise ValueError(f"precision {precision!r} is none of {AUTO}, {', '.join(DTYPES)}")
    if device == "cpu" and precision == "fp16":
        log.warning("precision fp16: most CPUs emulate float16, which takes many times as long as fp32")
    elif device == "cpu" and precision == "bf16":
        computed, why = computes_bf16(device)
        if not computed:
            log.warning("precision bf16: %s; fp32 is faster", why)
    name = DTYPES[precision]
    if name is None:
        return None
    import torch

    dtype: torch.dtype = getattr(torch, name)
    return dtype


def _device_of(accelerator: str) -> str:
    """Return the device type that Lightning chooses for an accelerator setting."""
    import torch

    if accelerator in (AUTO, "gpu", "cuda") and torch.cuda.is_available():
        return "cuda"
    if accelerator in (AUTO, "gpu", "mps") and torch.backends.mps.is_available():
        return "mps"
    return "cpu" if accelerator == AUTO else accelerator


def _has_bf16_instructions() -> bool:
    """Return whether the CPU has AVX512-BF16 or AMX, by torch's private probes or by Linux."""
    import torch

    probes = [
        getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    ]
    if all(probes):
        return any(probe() for probe in probes if probe)
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _onednn_computes_bf16() -> bool:
    """Return whether oneDNN, which computes the convolutions, is free to use bfloat16."""
    import torch

    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):  # a private name
        return bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
