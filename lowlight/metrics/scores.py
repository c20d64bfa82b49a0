"""Per-image scores: the one place where named images and their values are kept, averaged and gathered."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor
from torchmetrics import Metric

from lowlight.images import Batch

Measure = Callable[..., Tensor | dict[str, Tensor]]
"""A function of ``enhanced`` and mostly ``high``, images (B, 3, H, W) in [0, 1], of one value an image."""

_NAME_BYTES = 256


class ImageScores(Metric):
    """Scores of every image seen, by name.

    ``compute`` averages over images; ``per_image`` returns the table itself. An image that is seen twice
    counts once, so the padding of a distributed sampler changes nothing.

    Args:
        measures: Functions by the key their values get; one that returns a mapping gets ``key/<its key>``.
        prefix: What every key begins with, such as ``"val/"``.
        against: What a measure compares with if not with the reference: ``"low"``, or ``None`` for nothing.

    Example:
        >>> scores = ImageScores({"psnr": psnr})
        >>> scores.update(enhanced, {"low": low, "high": high, "name": ["a", "b"]})
        >>> scores.compute()["psnr"]
    """

    full_state_update = False
    names: list[Tensor]
    values: list[Tensor]

    def __init__(
        self,
        measures: Mapping[str, Measure],
        prefix: str = "",
        against: Mapping[str, Literal["low", "high"] | None] = MappingProxyType({}),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.measures = dict(measures)
        self.against = dict(against)
        self.prefix = prefix
        self.keys: list[str] = []
        self.add_state("names", default=[], dist_reduce_fx="cat")
        self.add_state("values", default=[], dist_reduce_fx="cat")

    def update(self, enhanced: Tensor, batch: Batch) -> None:
        """Score images.

        Args:
            enhanced: Enhanced images of shape (B, 3, H, W) in [0, 1].
            batch: The dark images, references and unique names they belong to.
        """
        columns: dict[str, Tensor] = {}
        for key, measure in self.measures.items():
            role = self.against.get(key, "high")
            value = measure(enhanced) if role is None else measure(enhanced, batch[role])
            if isinstance(value, dict):
                columns |= {f"{key}/{part}": column for part, column in value.items()}
            else:
                columns[key] = value
        self.keys = list(columns)
        self.values.append(torch.stack(list(columns.values()), dim=1).float())
        self.names.append(torch.stack([_encode(name) for name in batch["name"]]).to(enhanced.device))

    def compute(self) -> dict[str, Tensor]:
        """Return the mean of each key over the images seen, by all processes."""
        table = self._table()
        means = torch.tensor(list(table.values()), dtype=torch.float64).mean(0)
        return {self.prefix + key: mean.float() for key, mean in zip(self.keys, means, strict=True)}

    def per_image(self) -> dict[str, dict[str, float]]:
        """Return the values of each image by its name, in the order of names, without the prefix."""
        with self.sync_context(should_sync=self._to_sync):
            return {name: dict(zip(self.keys, row, strict=True)) for name, row in self._table().items()}

    def _table(self) -> dict[str, list[float]]:
        names, values = _joined(self.names), _joined(self.values)
        rows = {_decode(name): value.tolist() for name, value in zip(names.cpu(), values.cpu(), strict=True)}
        return dict(sorted(rows.items()))


def _joined(state: list[Tensor] | Tensor) -> Tensor:
    """Return a list state as one tensor; torchmetrics joins it already when it gathers processes."""
    return state if isinstance(state, Tensor) else torch.cat(state)


def _encode(name: str) -> Tensor:
    encoded = name.encode()
    if len(encoded) > _NAME_BYTES:
        raise ValueError(f"image name longer than {_NAME_BYTES} bytes: {name}; rename the file")
    return torch.tensor(list(encoded.ljust(_NAME_BYTES, b"\0")), dtype=torch.uint8)


def _decode(encoded: Tensor) -> str:
    return bytes(encoded.tolist()).rstrip(b"\0").decode()
