"""The facts of a metric that result files, tables and figures share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

Measure = Callable[..., Tensor | dict[str, Tensor]]
"""Function of ``enhanced`` and usually a second batch, (B, 3, H, W) in [0, 1]: one value per image."""


@dataclass(frozen=True, eq=False)
class Metric:
    """A metric: its function, and everything that is stated beside its values.

    A file of metrics ends with one such constant per metric; :data:`lowlight.metrics.METRICS` lists them, or
    :data:`lowlight.metrics.OPTIONAL`.

    Attributes:
        key: Name in result files.
        heading: Column heading, without the unit.
        measure: Returns values of shape (B,), float32, or a mapping of such values by part.
        definition: Exact definition, written into every ``metrics.json``.
        source: Paper or standard.
        decimals: Decimal places in tables.
        unit: Unit of the values, such as ``"dB"``; empty for a plain number.
        lower_is_better: Whether the lowest value is the best.
        against: Second argument of ``measure``: the reference, the dark input, or none.
        ranked: Whether tables highlight the best value.
        interval: Whether tables show the bootstrap interval.
        main: Whether the first table of the report page shows it.
        parts: Column heading by part, for a measure that returns a mapping.
        prepare: Reads what ``measure`` needs beside images, such as weights; raises a ValueError if it is not
            installed. None if there is no such need.
    """

    key: str
    heading: str
    measure: Measure
    definition: str
    source: str
    decimals: int
    unit: str = ""
    lower_is_better: bool = False
    against: Literal["high", "low"] | None = "high"
    ranked: bool = True
    interval: bool = False
    main: bool = False
    parts: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], object] | None = None

    @property
    def headings(self) -> dict[str, str]:
        """Column heading with the unit, by key in result files: ``key``, or ``key/part`` for each part."""
        parts = {f"{self.key}/{part}": heading for part, heading in self.parts.items()}
        unit = f", {self.unit}" if self.unit else ""
        return {key: heading + unit for key, heading in (parts or {self.key: self.heading}).items()}

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of its values in result files."""
        return tuple(self.headings)
