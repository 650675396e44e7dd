"""Preprocessing that a photo kills. Light to import, as processes that decode do."""

import os
import signal

import numpy as np
from PIL import Image

from pipeline.features.images import resize_to_square


def dies_at_red(image: Image.Image, size: int) -> np.ndarray:
    """Ends its process at a red picture, as one that lacks memory is ended."""
    pixels = resize_to_square(image, size)
    if (pixels[..., 0] > 200).all() and (pixels[..., 1:] < 50).all():
        os.kill(os.getpid(), signal.SIGKILL)
    return pixels
