"""Handing a folder to the Hugging Face hub by its own client."""

import re
from pathlib import Path
from typing import Any

from lowlight.files import shortened

LICENCE = "LICENSE"
"""The file in which the hub looks for the text of a licence."""

_PART = r"[A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9_])?"


def check_repository(repo_id: str) -> None:
    """Check that a text is the id of a repository, ``organisation/name``, by the rules of the hub.

    Raises:
        ValueError: If it is not.
    """
    fits = re.fullmatch(rf"{_PART}/{_PART}", repo_id, re.ASCII)
    if not fits or len(repo_id) > 96 or re.search(r"--|\.\.|\.git$", repo_id):
        raise ValueError(
            f"{repo_id!r} is no repository id: write organisation/name, in letters, digits and - _ . "
            "(at most 96, no -- or .., no .git at its end)"
        )


def client() -> Any:
    """Return the hub's client, ``huggingface_hub.HfApi``, for the user's account.

    Raises:
        ValueError: If the package is missing, or there is no token.
    """
    try:
        from huggingface_hub import HfApi, get_token
    except ImportError:
        raise ValueError("the Hugging Face client is missing: pip install 'lowlight[hub]'") from None
    if get_token() is None:
        raise ValueError("no token for the Hugging Face hub: run `hf auth login`, or set HF_TOKEN")
    return HfApi(library_name="lowlight")


def upload(api: Any, folder: Path, repo_id: str, message: str, *, private: bool = False) -> str:
    """Create a repository, if it is missing, and put a folder's files into it, as one commit.

    Other files in it are left alone, except for a ``LICENSE`` that the folder lacks: it is deleted, since it
    was of an earlier licence.

    Args:
        api: The :func:`client`.
        folder: The files.
        repo_id: The repository, ``organisation/name``.
        message: Message of the commit.
        private: Whether others must not see it. A repository that is public already is then refused.

    Returns:
        The repository's address.

    Raises:
        ValueError: If the hub or the network refuses, or the repository is public and must not be.
    """
    try:
        address = str(api.create_repo(repo_id, private=private or None, exist_ok=True))
        is_open = private and not api.repo_info(repo_id).private
        if not is_open:
            stale = None if (folder / LICENCE).exists() else LICENCE
            api.upload_folder(
                repo_id=repo_id, folder_path=folder, commit_message=message, delete_patterns=stale
            )
    except Exception as error:  # of the hub's, of the connection's, of the disk's
        reason = shortened(str(error)) or type(error).__name__
        raise ValueError(f"{repo_id} was not handed over: {reason}") from error
    if is_open:
        raise ValueError(f"{repo_id} is public already: make it private there, or push without --private")
    return address
