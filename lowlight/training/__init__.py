"""Training: fit a method by a config, then test its best checkpoint."""

from lowlight.training.train import train

__all__ = ["train"]
