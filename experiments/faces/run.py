"""Detect faces in photographs darkened by several stops, before and after enhancement."""

import argparse
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path

from lowlight.detection import detect
from lowlight.report.precision_recall import write

HERE = Path(__file__).parent
METHODS = ("coarse_to_fine", "gamma", "histogram", "clahe", "lime")
STOPS = (4, 6, 8)


def main(bright: Path) -> None:
    names = [line for line in (HERE / "faces.txt").read_text().splitlines() if line[-3:].isalpha()]
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            folder_of = bright if name[0].isdecimal() else Path(str(files("skimage") / "data"))
            source = next(folder_of.rglob(name))
            shutil.copy(source, folder)
        result = detect(folder, HERE / "faces.txt", METHODS, darken=STOPS, device="cpu")
    write(result, HERE / "results")
    for row in result["rows"]:
        low, high = row["ap_interval"]
        below, above = row["difference_interval"]
        print(
            f"| {row['darkness']} | {row['method']} | {row['ap']:.3f} [{low:.3f}, {high:.3f}] "
            f"| {row['difference']:+.3f} [{below:+.3f}, {above:+.3f}] "
            f"| {row['recall']:.3f} | {row['detections']} |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bright", type=Path, help="folder, searched, of BSDS300's photographs")
    main(parser.parse_args().bright)
