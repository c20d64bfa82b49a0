"""Threads of torch beside those of another runtime."""

import os


def wait_passively() -> None:
    """Keep torch's waiting threads off the cores that another runtime computes on.

    It must be called before torch is imported, and leaves what the user's environment says.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
