"""Arrays for functions of tensors, and tensors for functions of arrays, without copies where possible."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlight.images import check_image


def to_tensor(images: NDArray[np.float32]) -> Tensor:
    """Return images of shape (B, 3, H, W) as a tensor of the same memory."""
    if len(images) == 1:  # NumPy's stride of that axis is arbitrary, and torch infers memory formats from it
        return torch.from_numpy(images[0])[None]
    return torch.from_numpy(images)


def on_arrays(run: Callable[[Tensor], Tensor], images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Call a function of tensors of shape (B, 3, H, W), without gradients, on an array."""
    with torch.no_grad():
        enhanced: NDArray[np.float32] = run(to_tensor(images)).cpu().numpy()
    return enhanced


def on_tensors(run: Callable[[NDArray[np.float32]], NDArray[np.float32]], images: Tensor) -> Tensor:
    """Call a function of arrays of shape (B, 3, H, W) on a tensor; the result is on its device, of its type.

    Raises:
        ValueError: If the tensor breaks the image contract.
    """
    check_image(images, "low")
    return torch.from_numpy(run(images.detach().float().cpu().numpy())).to(images)
