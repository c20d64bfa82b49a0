"""What Lightning says that no user of the command line needs."""

import logging
import warnings


def quieten_lightning() -> None:
    """Keep Lightning's advertisements, and warnings of what is so on purpose, out of the log."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    # data.val_fraction=0 holds out none.
    warnings.filterwarnings("ignore", message="Total length of `list` across ranks is zero.*")
    # `lowlight benchmark` has its images in memory.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
    # The scores gather the processes themselves.
    warnings.filterwarnings("ignore", message=".*sync_dist=True.*")
    # Before the first validation of a run that validates every few epochs; later it is an error.
    warnings.filterwarnings("ignore", message=".*could not find the monitored key.*")
