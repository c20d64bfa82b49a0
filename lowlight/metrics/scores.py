"""Per-image scores of named images, kept, averaged and gathered over processes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor
from torchmetrics import Metric

from lowlight.images import Batch, has_references
from lowlight.metrics.metric import Measure

_NAME_BYTES = 256
"""Longest image name in UTF-8, bytes: names are gathered as tensors of equal size."""


class ImageScores(Metric):
    """Per-image scores, keyed by image name.

    ``compute`` averages over images, and where they are of several sets, called ``<set>/<stem>``, also over
    each set's, as ``<set>/<key>``; ``per_image`` returns the table itself. An image that occurs twice counts
    once, so that the padding of a distributed sampler changes nothing. Images without references have only
    the scores that need none.

    Args:
        measures: Functions by key; a function that returns a mapping fills the keys ``key/part``.
        prefix: Prefix of every key of ``compute``, such as ``"val/"``.
        against: Second argument by key where it is not the reference: ``"low"``, or ``None`` for none.

    Example:
        >>> scores = ImageScores({"mean": lambda enhanced, high: enhanced.flatten(1).mean(1)})
        >>> enhanced = torch.tensor([0.2, 0.4]).view(2, 1, 1, 1).expand(2, 3, 8, 8)
        >>> scores.update(enhanced, {"low": enhanced, "high": enhanced, "name": ["a", "b"]})
        >>> scores.compute()
        {'mean': tensor(0.3000)}
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
        """Score a batch.

        Args:
            enhanced: Enhanced images of shape (B, 3, H, W) in [0, 1].
            batch: Their dark inputs, references and unique names.
        """
        columns: dict[str, Tensor] = {}
        for key, measure in self.measures.items():
            role = self.against.get(key, "high")
            if role == "high" and not has_references(batch):
                continue
            value = measure(enhanced) if role is None else measure(enhanced, batch[role])
            if isinstance(value, dict):
                columns |= {f"{key}/{part}": column for part, column in value.items()}
            else:
                columns[key] = value
        if not columns:
            return
        self.keys = list(columns)
        self.values.append(torch.stack(list(columns.values()), dim=1).float())
        self.names.append(torch.stack([_encode(name) for name in batch["name"]]).to(enhanced.device))

    def compute(self) -> dict[str, Tensor]:
        """Return the mean over the images of all processes, by prefixed key."""
        table = self._table()
        if not table:
            return {}
        names = [name[: max(name.find("/"), 0)] for name in table]
        values = torch.tensor(list(table.values()), dtype=torch.float64)
        means = dict(zip(self.keys, values.mean(0), strict=True))
        for one in sorted(set(names)) if len(set(names)) > 1 else []:
            own = values[[name == one for name in names]].mean(0)
            means |= {f"{one}/{key}": mean for key, mean in zip(self.keys, own, strict=True)}
        return {self.prefix + key: mean.float() for key, mean in means.items()}

    def per_image(self) -> dict[str, dict[str, float]]:
        """Return the values per image, sorted by name; the keys have no prefix."""
        with self.sync_context(should_sync=self._to_sync):
            return {name: dict(zip(self.keys, row, strict=True)) for name, row in self._table().items()}

    def _table(self) -> dict[str, list[float]]:
        if isinstance(self.names, list) and not self.names:
            return {}
        names, values = _joined(self.names), _joined(self.values)
        rows = {_decode(name): value.tolist() for name, value in zip(names.cpu(), values.cpu(), strict=True)}
        return dict(sorted(rows.items()))


def _joined(state: list[Tensor] | Tensor) -> Tensor:
    """Return a list state as one tensor; torchmetrics has already joined it after gathering processes."""
    return state if isinstance(state, Tensor) else torch.cat(state)


def _encode(name: str) -> Tensor:
    encoded = name.encode()
    if len(encoded) > _NAME_BYTES:
        raise ValueError(f"image name longer than {_NAME_BYTES} bytes: {name}; rename the file")
    return torch.tensor(list(encoded.ljust(_NAME_BYTES, b"\0")), dtype=torch.uint8)


def _decode(encoded: Tensor) -> str:
    return bytes(encoded.tolist()).rstrip(b"\0").decode()
