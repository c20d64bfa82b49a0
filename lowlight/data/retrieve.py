"""The no-learning control: what a method scores that only remembers the training references."""

from pathlib import Path

import numpy as np
from PIL import Image

from lowlight.data.module import PairDataModule
from lowlight.data.scenes import standardised, thumbnail
from lowlight.images import from_uint8, write_image


def retrieve(data: PairDataModule, out: Path) -> dict[str, tuple[str, float]]:
    """Answer each test image with the reference of the training pair whose dark image is most alike.

    Alike means the highest Pearson correlation of thumbnails (48x32 pixels, BT.601 grey). Nothing is learnt
    and the test references are not looked at: what this scores above a constant picture, it owes to test
    scenes that stand in the training set. All training pairs are searched, those held out for validation
    included.

    Args:
        data: The pairs; set up here.
        out: Where the answers are written, as ``<stem>.png``; of several sets, in a folder each.

    Returns:
        For each test image, by its name, the training pair's name and the correlation.

    Raises:
        ValueError: If a split is missing or unusable.
    """
    data.setup()
    train, test = [data.datasets["train"], data.datasets["val"]], data.datasets["test"]
    pairs = [(dataset, index) for dataset in train for index in range(len(dataset))]
    known = standardised([thumbnail(dataset.pixels(index)[0]) for dataset, index in pairs])
    asked = standardised([thumbnail(test.pixels(index)[0]) for index in range(len(test))])
    answers = {}
    for index, correlations in enumerate(asked @ known.T):
        best = int(correlations.argmax())
        dataset, source = pairs[best]
        height, width = test.pixels(index).shape[1:3]
        reference = Image.fromarray(np.ascontiguousarray(dataset.pixels(source)[1]))
        if reference.size != (width, height):
            reference = reference.resize((width, height), Image.Resampling.BICUBIC)
        name = test.items[index].name
        write_image(from_uint8(np.array(reference)), out / data.image_file(name))
        answers[name] = (dataset.items[source].name, float(correlations[best]))
    return answers
