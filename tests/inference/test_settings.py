"""Settings know the memory limit."""

import pytest

from lowlight.inference import settings
from lowlight.inference.settings import MAX_MEMORY, Settings


def test_the_default_memory_leaves_a_gigabyte_beyond_what_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    for held, allowed in ((10**8, MAX_MEMORY), (5 * 10**9, 6 * 10**9)):
        monkeypatch.setattr(settings, "resident", lambda held=held: held)
        assert Settings().memory_limit() == allowed
        assert Settings(max_memory=7).memory_limit() == 7
