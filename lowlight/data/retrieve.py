"""Retrieval baseline: the scores of a method that only memorises the training references."""

from pathlib import Path

import numpy as np
from PIL import Image

from lowlight.data.dataset import PairDataset
from lowlight.data.module import PairDataModule
from lowlight.data.scenes import standardised, thumbnail
from lowlight.images import from_uint8, write_image


def retrieve(data: PairDataModule, out: Path) -> dict[str, tuple[str, float]]:
    """Answer each test image with the reference of the training pair whose dark image is most similar.

    Similarity is the Pearson correlation of thumbnails (48x32 pixels, BT.601 grey). Nothing is learnt and the
    test references are not used, so every score above that of a constant image is due to test scenes that
    occur in the training set. All training pairs are searched, including those held out for validation.

    Args:
        data: The pairs; set up here.
        out: Folder of the answers, ``<stem>.png``, with one subfolder per set if there are several.

    Returns:
        Name of the training pair and correlation, keyed by the test image's name.

    Raises:
        ValueError: If a split is missing or unusable.
    """
    data.setup()
    train, test = [data.datasets["train"], data.datasets["val"]], data.datasets["test"]
    train = [PairDataset(dataset.items, data.cache, resize=dataset.resize) for dataset in train]
    pairs = [(dataset, index) for dataset in train for index in range(len(dataset))]
    known = standardised([thumbnail(dataset.pixels(index)[0]) for dataset, index in pairs])
    queries = standardised([thumbnail(test.pixels(index)[0]) for index in range(len(test))])
    answers = {}
    for index, correlations in enumerate(queries @ known.T):
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
