"""Mapping of the state dict of MIRNet's original implementation to ours."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

_RENAMED = (
    (r"^groups\.", "body."),
    (r"^(body\.\d+)\.blocks\.", r"\1.body."),
    (r"\.daus\.", ".blocks."),
    (r"\.last_up\.(\d+)\.", r".last_up.\1.body."),
    (r"(\.body\.\d+)\.body\.(\d+)\.weight$", r"\1.top.\2.weight"),
    (r"\.skip\.", ".bot.1."),
    (r"\.spatial\.conv\.", ".SA.spatial.conv."),
    (r"\.channel\.weigh\.", ".CA.conv_du."),
    (r"\.merge\.", ".conv1x1."),
    (r"\.fuse\.", ".selective_kernel."),
    (r"\.squeeze\.", ".conv_du."),
    (r"\.excite\.", ".fcs."),
)


def original_names(name: str, *, channels: int, blocks: int, sharing: int) -> list[str]:
    """Return the original's name, or names, of one of our parameters.

    Args:
        name: A name from ``MIRNet.named_parameters``.
        channels: Channels of the first stream.
        blocks: Blocks per group.
        sharing: Number of columns that share a DAU, under each of which the original lists it.
    """

    def route(match: re.Match[str]) -> str:
        source, target = int(match[1]), int(match[2])
        direction = "down" if target > source else "up"
        return f".{direction}.{channels * 2**source}_{2 ** abs(target - source)}.body."

    name = re.sub(r"\.resize\.(\d+)_(\d+)\.", route, name)
    name = re.sub(r"^(groups\.\d+)\.conv\.", rf"\1.body.{blocks}.", name)
    for ours, original in _RENAMED:
        name = re.sub(ours, original, name)
    if sharing == 1 or ".blocks." not in name:
        return [name]
    return [re.sub(r"(\.blocks\.\d+)\.\d+\.", rf"\1.{column}.", name) for column in range(sharing)]


def check_original(given: Mapping[str, Tensor], shared: list[tuple[Tensor, list[str]]], blur: Tensor) -> None:
    """Refuse an original's state dict that does not fit.

    Args:
        given: The state dict.
        shared: Each parameter of the network with all its names in the original.
        blur: Fixed kernel of our blur, shape (1, 1, 3, 3).

    Raises:
        ValueError: If keys are missing or unknown, shapes or blur kernels differ, or weights differ that the
            network shares; the message names the first three problems.
    """
    expected = {key: parameter for parameter, keys in shared for key in keys}
    problems = []
    for key, value in given.items():
        if key.endswith(".filt"):
            if value.shape[1:] != blur.shape[1:] or not torch.allclose(value.float().cpu(), blur):
                problems.append(f"{key} is not the [1, 2, 1] blur")
        elif key not in expected:
            problems.append(f"{key} is unknown")
        elif value.shape != expected[key].shape:
            problems.append(f"{key} has shape {tuple(value.shape)}, not {tuple(expected[key].shape)}")
    problems += [f"{key} is missing" for key in expected if key not in given]
    if not problems:
        problems = [
            f"{key} differs from {keys[0]}, which this network shares"
            for _, keys in shared
            for key in keys[1:]
            if not torch.equal(given[key], given[keys[0]])
        ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise ValueError(
            f"the state dict does not fit this MIRNet: {'; '.join(problems[:3])}{more}; build the network "
            "with the sizes it was trained with (channels, groups, blocks, streams, columns, shared_daus)"
        )
