"""Compare the outputs, time and memory of networks with plain transcriptions of their papers.

The transcriptions have the same weights and torch's default memory format. MIRNet's interpolates before its
1x1 convolutions, concatenates branches and attended features, as in the paper, and has torch's PReLU.
The transformers' weigh the values' channels and then project them, and normalise channels by their formula;
HVI-CIDNet's converts colours by masks and reads its density from the device.
"""

import argparse
import copy
import json
import math
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lowlight.losses import charbonnier
from lowlight.memory import taken_by
from lowlight.networks.channel_norm import ChannelNorm
from lowlight.networks.hvi import EPSILON, HVI
from lowlight.networks.hvi_cidnet import CrossAttention, HVICIDNet
from lowlight.networks.mirnet import DAU, SKFF, MIRNet, Up
from lowlight.networks.prelu import PReLU
from lowlight.networks.restormer import Restormer, TransposedAttention
from lowlight.networks.retinexformer import GuidedAttention, Retinexformer
from lowlight.runs.provenance import provenance


def plain_up(self: Up, features: Tensor) -> Tensor:
    larger = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
    return self.body(features) + self.skip(larger)


def plain_skff(self: SKFF, branches: list[Tensor]) -> Tensor:
    batch, channels, height, width = branches[0].shape
    stacked = torch.cat(branches, dim=1).view(batch, len(branches), channels, height, width)
    summary = self.squeeze(F.adaptive_avg_pool2d(stacked.sum(dim=1), 1))
    weights = torch.cat([excite(summary) for excite in self.excite], dim=1)
    weights = weights.view(batch, len(branches), channels, 1, 1).softmax(dim=1)
    return (stacked * weights).sum(dim=1)


def plain_dau(self: DAU, features: Tensor) -> Tensor:
    body = self.body(features)
    largest, mean = torch.max(body, dim=1, keepdim=True)[0], torch.mean(body, dim=1, keepdim=True)
    spatial = body * torch.sigmoid(self.spatial.conv(torch.cat([largest, mean], dim=1)))
    channel = body * self.channel.weigh(F.adaptive_avg_pool2d(body, 1))
    return features + self.merge(torch.cat([spatial, channel], dim=1))


def weighted(weights: Tensor, value: Tensor) -> Tensor:
    """Weigh the channels of a value, (B, C, H, W), by attention weights of each head."""
    by_head = value.flatten(2).reshape(value.shape[0], weights.shape[1], weights.shape[-1], -1)
    return (weights @ by_head).reshape(value.shape)


def plain_transposed(self: TransposedAttention, features: Tensor) -> Tensor:
    query, key, value = self.qkv_dwconv(self.qkv(features)).chunk(3, dim=1)
    return self.project_out(weighted(self.weigh(query, key, self.temperature), value))


def plain_guided(self: GuidedAttention, features: Tensor, illumination: Tensor) -> Tensor:
    last = features.permute(0, 2, 3, 1)
    query, key, value = (to(last).permute(0, 3, 1, 2) for to in (self.to_q, self.to_k, self.to_v))
    attended = weighted(self.weigh(key, query, self.rescale), value * illumination)
    return self.proj(attended.permute(0, 2, 3, 1)).permute(0, 3, 1, 2) + self.pos_emb(value)


def plain_cross(self: CrossAttention, features: Tensor, other: Tensor) -> Tensor:
    query = self.q_dwconv(self.q(features))
    key, value = self.kv_dwconv(self.kv(other)).chunk(2, dim=1)
    return self.project_out(weighted(self.weigh(query, key, self.temperature), value))


def plain_norm(self: ChannelNorm, features: Tensor) -> Tensor:
    centred = features - features.mean(dim=1, keepdim=True)
    scaled = centred / (centred.square().mean(dim=1, keepdim=True) + self.eps).sqrt()
    return scaled * self.weight[:, None, None] + self.bias[:, None, None]


class PlainHVI(HVI):
    """The same conversions by masks, one for each case of the formula."""

    def forward(self, rgb: Tensor) -> Tensor:
        red, green, blue = rgb.unbind(1)
        value, least = rgb.max(1)[0], rgb.min(1)[0]
        span = value - least + EPSILON
        hue = torch.zeros_like(value)
        for at, sixths in (
            (blue == value, 4 + (red - green) / span),
            (green == value, 2 + (blue - red) / span),
            (red == value, ((green - blue) / span) % 6),
        ):
            hue[at] = sixths[at]
        hue[least == value] = 0
        radius = (
            ((value * math.pi / 2).sin() + EPSILON).pow(self.density_k) * (value - least) / (value + EPSILON)
        )
        angle = hue * math.pi / 3
        return torch.stack([radius * angle.cos(), radius * angle.sin(), value], dim=1)

    def to_rgb(self, hvi: Tensor) -> Tensor:
        horizontal, vertical, value = hvi.unbind(1)
        value = value.clamp(0, 1)
        scale = ((value * math.pi / 2).sin() + EPSILON).pow(self.density_k.item()) + EPSILON
        horizontal, vertical = ((axis.clamp(-1, 1) / scale).clamp(-1, 1) for axis in (horizontal, vertical))
        hue = (torch.atan2(vertical + EPSILON, horizontal + EPSILON) / (2 * math.pi)) % 1
        saturation = (horizontal**2 + vertical**2 + EPSILON).sqrt().clamp(0, 1)
        sixth = (hue * 6).floor()
        part = hue * 6 - sixth
        none, falling, rising = (
            value * (1 - saturation * share) for share in (torch.ones_like(part), part, 1 - part)
        )
        cases = (
            (value, rising, none),
            (falling, value, none),
            (none, value, rising),
            (none, falling, value),
            (rising, none, value),
            (value, none, falling),
        )
        rgb = torch.zeros_like(hvi)
        for number, colours in enumerate(cases):
            at = sixth == number
            for channel, colour in enumerate(colours):
                rgb[:, channel][at] = colour[at]
        return rgb


PLAIN = {
    Up: plain_up,
    SKFF: plain_skff,
    DAU: plain_dau,
    PReLU: nn.PReLU.forward,
    TransposedAttention: plain_transposed,
    GuidedAttention: plain_guided,
    CrossAttention: plain_cross,
    ChannelNorm: plain_norm,
}

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "mirnet": MIRNet,
    "retinexformer": Retinexformer,
    "hvi_cidnet": HVICIDNet,
    "restormer": Restormer,
}
"""Of their published sizes."""


def plainly(net: nn.Module) -> nn.Module:
    """Return a copy with the plain forward functions."""
    net = copy.deepcopy(net)
    for module in net.modules():
        if type(module) in PLAIN:
            module.forward = partial(PLAIN[type(module)], module)
        if type(module) is HVI:
            module.__class__ = PlainHVI
    return net


def channels_last(net: nn.Module) -> nn.Module:
    return copy.deepcopy(net).to(memory_format=torch.channels_last)


def recomputing(net: MIRNet) -> MIRNet:
    """Return a copy that trains with activation checkpointing."""
    net = copy.deepcopy(net)
    for group in net.groups:
        group.checkpointing = True
    return net


def forward(net: nn.Module, low: Tensor, bf16: bool = False) -> Callable[[], Tensor]:
    def run() -> Tensor:
        with torch.inference_mode(), torch.autocast(low.device.type, torch.bfloat16, enabled=bf16):
            return net(low)

    return run


def step(net: nn.Module, low: Tensor) -> Callable[[], None]:
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-6)

    def run() -> None:
        charbonnier(net(low), low).backward()
        optimizer.step()
        optimizer.zero_grad()

    return run


def peak(run: Callable[[], object]) -> int:
    """Return the peak memory of a call in bytes, on the GPU if there is one in use."""
    if not torch.cuda.is_initialized():
        return taken_by(run)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    return torch.cuda.max_memory_allocated() - before


def wait() -> None:
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def measure(variants: dict[str, Callable[[], object]], rounds: int) -> dict[str, dict[str, float]]:
    memory = {name: peak(run) for name, run in variants.items()}  # also the warm-up
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, run in variants.items():
            wait()
            start = time.perf_counter()
            run()
            wait()
            seconds[name].append(time.perf_counter() - start)
    first = next(iter(seconds.values()))
    rows = {}
    for name, own in seconds.items():
        ratios = [a / b for a, b in zip(first, own, strict=True)]
        rows[name] = {
            "seconds": round(statistics.median(own), 5),
            "times_faster": round(statistics.median(ratios), 2),
            "from": round(min(ratios), 2),
            "to": round(max(ratios), 2),
            "memory_gb": round(memory[name] / 1e9, 2),
        }
        print(name, rows[name], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", default="mirnet", choices=NETWORKS)
    parser.add_argument("--side", type=int, default=256, help="side of the image in pixels")
    parser.add_argument("--crop", type=int, default=128, help="side of the two training crops in pixels")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--channels", type=int, default=64, help="MIRNet's width; 64 as published")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--compile", action="store_true", help="also measure torch.compile")
    parser.add_argument("--training-only", action="store_true")
    parser.add_argument("--out", type=Path, help="JSON file for the measurements")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    sizes = {"channels": arguments.channels} if arguments.network == "mirnet" else {}
    net = NETWORKS[arguments.network](**sizes).to(arguments.device)
    plain, fast = plainly(net), channels_last(net)
    low = torch.rand(1, 3, arguments.side, arguments.side, device=arguments.device)
    last = low.contiguous(memory_format=torch.channels_last)
    difference = float((forward(plain, low)() - forward(fast, last)()).abs().max())
    print(f"greatest difference {difference:.1e}", flush=True)
    variants = {
        "plain": forward(plain, low),
        "ours": forward(fast, last),
        "ours, bf16": forward(fast, last, bf16=True),
    }
    if arguments.compile:
        compiled = torch.compile(channels_last(net))
        variants["ours, compiled, bf16"] = forward(compiled, last, bf16=True)
    crops = torch.rand(2, 3, arguments.crop, arguments.crop, device=arguments.device)
    crops_last = crops.contiguous(memory_format=torch.channels_last)
    training = {"plain": step(plain, crops), "ours": step(fast, crops_last)}
    if isinstance(net, MIRNet):
        training["ours, checkpointing"] = step(recomputing(fast), crops_last)
    result = {
        "greatest_difference": difference,
        "inference": {} if arguments.training_only else measure(variants, arguments.rounds),
        "training": measure(training, arguments.rounds),
        "threads": torch.get_num_threads(),
        **provenance(),
    }
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
