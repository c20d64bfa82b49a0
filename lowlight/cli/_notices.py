"""Notices that are printed once per user, not at every call."""

import sys
import zlib

from lowlight.files import user_cache_folder


def say_once(text: str) -> None:
    """Print a notice on stderr unless the same one was printed before.

    An empty file in the user's cache folder remembers that. Where none can be written, the notice is printed
    again the next time.
    """
    folder = user_cache_folder()
    told = None if folder is None else folder / "notices" / f"{zlib.crc32(text.encode()):08x}"
    try:
        if told and told.exists():
            return
        if told:
            told.parent.mkdir(parents=True, exist_ok=True)
            told.touch()
    except OSError:  # a read-only or full disk
        pass
    print(text, file=sys.stderr)
