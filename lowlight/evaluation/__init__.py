"""Evaluation of a method or of saved images on a test split."""

from lowlight.evaluation.evaluate import evaluate

__all__ = ["evaluate"]
