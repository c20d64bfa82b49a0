"""A progress bar for a command that works through a list."""

from collections.abc import Iterable
from typing import TypeVar

Item = TypeVar("Item")


def watched(items: Iterable[Item], unit: str) -> Iterable[Item]:
    """Return the items, with a progress bar on a terminal.

    Args:
        items: What a command works through.
        unit: What one of them is, such as ``image``.
    """
    from tqdm import tqdm

    bar: Iterable[Item] = tqdm(items, unit=unit, disable=None, dynamic_ncols=True)
    return bar
