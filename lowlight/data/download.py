"""Downloading or unpacking LOL, all or nothing, with every file checked against the published bytes.

Not by pooch, which begins a broken download from the start (a server that breaks off after every third of the
file never delivers it; here it does), bounds neither the bytes sent nor those unpacked, and knows a file by
the hash of one archive, where here any copy serves whose members are LOL's.
"""

import errno
import hashlib
import logging
import stat
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path, PurePosixPath

from lowlight.data.audit import published_lol
from lowlight.data.pairs import refuse

log = logging.getLogger(__name__)

URL = "https://huggingface.co/datasets/geekyrakshit/LoL-Dataset/resolve/main/lol_dataset.zip"
"""Public copy of LOL v1; its files are checked all the same."""

BY_HAND = (
    "fetch LOLdataset.zip by hand (the authors' page, daooshee.github.io/BMVC2018website, links it) and give "
    "--archive FILE"
)

LICENCE = (
    "LOL states no licence: treat it as research-only, and do not publish its pictures.\n"
    "Cite: Wei, Wang, Yang, Liu, 2018, Deep Retinex Decomposition for Low-Light Enhancement, BMVC."
)

MOST_BYTES = 2 * 2**30
"""Maximum size of an unpacked archive, in bytes; LOL has 0.35 GiB."""

MOST_MEMBERS = 20_000

RETRIES = 3
WAIT = 2.0
"""Seconds before the second try; twice as many before the third."""

_CHUNK = 1 << 18

Progress = Callable[[int, int | None], None]
"""Called with the bytes downloaded so far and the total, if known."""


def download_lol(
    root: Path | str,
    *,
    archive: Path | str | None = None,
    url: str = URL,
    timeout: float = 30.0,
    published: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Download LOL v1 into a folder, as ``our485/{low,high}`` and ``eval15/{low,high}``.

    Args:
        root: The folder, created if missing. Splits that exist must be LOL's and stay untouched.
        archive: Zip file downloaded by hand; None downloads it.
        url: Address of the zip file.
        timeout: Seconds without data after which a connection is closed.
        published: SHA-256 of the files, keyed by path, such as ``our485/low/2.png``; by default LOL's.
        progress: Called as the download proceeds.

    Returns:
        The folder.

    Raises:
        ValueError: If the download or the archive is unusable, or other files are in the way; the message
            gives a remedy. At most a partial download is left in the folder, which the next call continues.
    """
    root = Path(root).expanduser()
    published = published_lol() if published is None else published
    splits = sorted({name.split("/")[0] for name in published})
    there = [split for split in splits if (root / split).exists()]
    if there:
        _check_files(root, published, f"{root} holds {' and '.join(there)}, which is not the whole of LOL")
        return root
    source = root / ".lol.zip.partial" if archive is None else Path(archive).expanduser()
    if archive is not None and not source.is_file():
        raise ValueError(f"--archive {source}: no such file")
    root.mkdir(parents=True, exist_ok=True)
    if archive is None:
        _fetch(url, source, timeout, progress)
    with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=root) as folder:
        try:
            _unpack(source, Path(folder), published)
            _check_files(Path(folder), published, f"{archive or url} is not LOL as published")
        except ValueError:
            if archive is None:
                source.unlink(missing_ok=True)  # not worth continuing
            raise
        for split in splits:
            (Path(folder) / split).replace(root / split)
    if archive is None:
        source.unlink()
    return root


def _check_files(root: Path, published: Mapping[str, str], subject: str) -> None:
    """Raise ``ValueError`` if a published file is missing or has other bytes."""
    problems = []
    for name, digest in published.items():
        path = root / name
        if not path.is_file():
            problems.append(f"{name} is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            problems.append(f"{name} has other bytes")
    if problems:
        refuse(subject, problems, "Choose an empty --root, or another copy of the archive.")


def _fetch(url: str, target: Path, timeout: float, progress: Progress | None) -> None:
    """Download a file, continuing a partial one; retry after stalls and broken connections."""
    for attempt in range(1, RETRIES + 1):
        try:
            _fetch_once(url, target, timeout, progress)
            return
        except urllib.error.HTTPError as error:
            reason = f"{error.code} {error.reason}"
            if error.code == 416:  # the partial download is longer than the file
                target.unlink(missing_ok=True)
            elif error.code < 500:
                break
        except (OSError, HTTPException) as error:
            if isinstance(error, OSError) and (error.filename or error.errno in (errno.ENOSPC, errno.EDQUOT)):
                raise ValueError(
                    f"cannot write {target} ({error.strerror}); choose another --root"
                ) from error
            reason = "no data arrived in time" if isinstance(error, TimeoutError) else _reason(error)
        if attempt < RETRIES:
            log.warning("%s: %s; trying again", url, reason)
            time.sleep(attempt * WAIT)
    raise ValueError(f"{url}: {reason}; try again later (it continues where it stopped), or {BY_HAND}")


def _reason(error: Exception) -> str:
    """Return the cause of an error of urllib."""
    return str(getattr(error, "reason", error))


def _fetch_once(url: str, target: Path, timeout: float, progress: Progress | None) -> None:
    done = target.stat().st_size if target.exists() else 0
    headers = {"User-Agent": "lowlight", **({"Range": f"bytes={done}-"} if done else {})}
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        if done and answer.status != 206:
            done = 0  # the server sends the whole file
        length = answer.headers.get("Content-Length")
        total = done + int(length) if length else None
        if total is not None and total > MOST_BYTES:
            raise ValueError(f"{url}: offers {total} bytes, far more than LOL; {BY_HAND}")
        with target.open("ab" if done else "wb") as file:
            while chunk := answer.read1(_CHUNK):  # keeps what has arrived if the rest stalls
                file.write(chunk)
                done += len(chunk)
                if done > MOST_BYTES:
                    raise ValueError(f"{url}: sends far more bytes than LOL has; {BY_HAND}")
                if progress:
                    progress(done, total)
    if total is not None and done < total:
        raise ConnectionError(f"cut off after {done} of {total} bytes")


def _unpack(archive: Path, folder: Path, published: Mapping[str, str]) -> None:
    """Unpack the published files of a zip file; refuse members that leave the folder or fill the disk."""
    try:
        with zipfile.ZipFile(archive) as content:
            members = content.infolist()
            _check_members(archive, members)
            seen: set[str] = set()
            budget = MOST_BYTES
            for member in members:
                name = _published_name(member.filename, published)
                if name is None or member.is_dir():
                    continue
                if name in seen:
                    raise ValueError(f"{archive}: holds {name} twice; get another copy")
                seen.add(name)
                budget -= _write_member(content, member, folder / name, budget)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise ValueError(f"{archive}: no zip archive, or a damaged one ({error}); {BY_HAND}") from error
    except OSError as error:
        raise ValueError(f"cannot unpack {archive} ({error.strerror or error}); free some space") from error


def _check_members(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse an archive with too many or too large members, links, encryption, or paths out of the folder."""
    if len(members) > MOST_MEMBERS:
        raise ValueError(f"{archive}: {len(members)} members, at most {MOST_MEMBERS} are unpacked")
    if sum(member.file_size for member in members) > MOST_BYTES:
        raise ValueError(f"{archive}: unpacks to far more bytes than LOL has; not unpacked")
    for member in members:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or any(":" in part for part in path.parts):
            raise ValueError(f"{archive}: member {member.filename!r} leaves the folder; not unpacked")
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ValueError(f"{archive}: member {member.filename!r} is a link or a device; not unpacked")
        if member.flag_bits & 1:
            raise ValueError(f"{archive}: member {member.filename!r} is encrypted; not unpacked")


def _published_name(member: str, published: Mapping[str, str]) -> str | None:
    """Return the published path at the end of a member's path, or None; archives may add a folder."""
    parts = PurePosixPath(member.replace("\\", "/")).parts
    name = "/".join(parts[-3:])
    return name if name in published and "__MACOSX" not in parts else None


def _write_member(content: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, budget: int) -> int:
    """Unpack one file and return its bytes, counted since the sizes stated by an archive may be false."""
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with content.open(member) as source, target.open("wb") as file:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > budget:
                raise ValueError(f"{member.filename}: unpacks to more bytes than stated; not unpacked")
            file.write(chunk)
    return written
