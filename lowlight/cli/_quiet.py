"""Messages of Lightning that users of the command line need not see."""

import logging
import warnings


def quieten_lightning() -> None:
    """Silence Lightning's hints, and its warnings about settings chosen on purpose."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    # data.val_fraction=0: there is no validation set.
    warnings.filterwarnings("ignore", message="Total length of `list` across ranks is zero.*")
    # `lowlight benchmark` keeps its images in memory.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
    # The scores are gathered across processes by lowlight itself.
    warnings.filterwarnings("ignore", message=".*sync_dist=True.*")
    # Before the first validation of a run that validates every few epochs; later it is an error.
    warnings.filterwarnings("ignore", message=".*could not find the monitored key.*")
