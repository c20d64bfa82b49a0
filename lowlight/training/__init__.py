"""Training: fit a method as a config says, then test its best checkpoint."""

from lowlight.training.train import train

__all__ = ["train"]
