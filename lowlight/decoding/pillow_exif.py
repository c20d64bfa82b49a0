"""The EXIF data that a Pillow image has now, which a user may have changed."""

from PIL import Image

from lowlight.decoding.tags import EXIF, GPS


def current_exif(image: Image.Image) -> bytes | None:
    """Return a Pillow image's EXIF data: the bytes of its file, unless they were changed since."""
    data = image.info.get("exif")
    stored = Image.Exif()
    try:
        stored.load(data or b"")
        current = image.getexif()
        if data and _tags_of(stored) == _tags_of(current):
            return bytes(data)
    except Exception:  # of broken data, which is told where it is read
        return data
    return current.tobytes()


def _tags_of(exif: Image.Exif) -> str:
    """Return all tags of Pillow's EXIF data as a text to compare, as a value 0/0 does not equal itself."""
    return repr([sorted(one.items()) for one in (exif, exif.get_ifd(EXIF), exif.get_ifd(GPS))])
