"""Inference: photographs, videos, arrays and tensors of any size, enhanced outside any data set."""
