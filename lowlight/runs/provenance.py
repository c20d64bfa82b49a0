"""Provenance of a result: versions, commit, machine, command."""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = (
    "lowlight",
    "torch",
    "pytorch-lightning",
    "hydra-core",
    "torchmetrics",
    "kornia",
    "numpy",
    "pillow",
    "scikit-image",
)

_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")
"""Name and password in an address, up to the last @ before its path."""


def provenance() -> dict[str, Any]:
    """Return the provenance of a result: versions, commit, machine and command."""
    commit, dirty = _commit()
    return {
        "versions": {"python": platform.python_version()} | dict(_versions(_PACKAGES)),
        "commit": commit,
        "dirty": dirty,
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gib": _memory_gib(),
            "system": platform.system(),
        },
        "command": _command(),
    }


def _command() -> list[str]:
    """Return the command line as a user would type it, without the script's path and addresses' passwords."""
    verb = Path(sys.argv[0]).stem.removeprefix("lowlight-")
    program = ["lowlight", verb] if verb in ("train", "evaluate") else [Path(sys.argv[0]).name]
    return [*program, *(_CREDENTIALS.sub("***@", part) for part in sys.argv[1:])]


def _versions(packages: Iterable[str]) -> Iterable[tuple[str, str]]:
    for package in packages:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            continue


@cache
def _commit() -> tuple[str | None, bool]:
    """Return the commit of the checkout that this package runs from, and whether files have changed since.

    It is that of the first call in a process: a training asks before it starts, and commits may follow.
    """

    def git(*arguments: str) -> str:
        here = Path(__file__).parent
        return subprocess.run(
            ["git", "-C", str(here), *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        if git("ls-files", Path(__file__).name) == "":
            return None, False
        return git("rev-parse", "HEAD"), git("status", "--porcelain", "--untracked-files=no") != ""
    except (OSError, subprocess.CalledProcessError):
        return None, False


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None
