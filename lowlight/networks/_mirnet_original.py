"""Mapping of the state dict of MIRNet's original implementation to ours."""

import re

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


def blur_names(name: str, *, channels: int, blocks: int) -> list[str]:
    """Return the original's names of the blur kernels in one of our halvings.

    Args:
        name: Name of the module, from ``MIRNet.named_modules``.
        channels: Channels of the first stream.
        blocks: Blocks per group.
    """
    (weight,) = original_names(f"{name}.body.0.weight", channels=channels, blocks=blocks, sharing=1)
    halving = weight.removesuffix("top.0.weight")
    return [f"{halving}top.4.filt", f"{halving}bot.0.filt"]
