"""Detection of objects, above all faces, in the dark and after enhancement."""

from lowlight.lazy import importer

__all__ = ["average_precision", "detect", "read_annotations"]

__getattr__ = importer(
    __name__,
    {
        "average_precision": "lowlight.detection.precision",
        "detect": "lowlight.detection.experiment",
        "read_annotations": "lowlight.detection.annotations",
    },
)
