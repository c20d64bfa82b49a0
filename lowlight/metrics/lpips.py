"""LPIPS, the learned perceptual image patch similarity.

Example:
    >>> lpips(torch.zeros(1, 3, 64, 64), torch.rand(1, 3, 64, 64)) > 0.5  # doctest: +SKIP
    tensor([True])
"""

from functools import partial

from lowlight.deep_features import lpips as lpips
from lowlight.deep_features import lpips_stages
from lowlight.metrics.metric import Metric

LPIPS = Metric(
    key="lpips",
    heading="LPIPS",
    measure=lpips,
    definition="learned perceptual image patch similarity, version 0.1 with AlexNet, RGB; lower is better",
    source="Zhang, Isola, Efros, Shechtman and Wang, 2018, 'The unreasonable effectiveness of deep features "
    "as a perceptual metric'",
    decimals=3,
    lower_is_better=True,
    interval=True,
    main=True,
    prepare=partial(lpips_stages, "alex", "cpu"),
)
