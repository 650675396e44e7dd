"""Ways to preprocess a photo for a network: scaled to a square, letterboxed, cropped."""

from functools import partial

from PIL import Image

from pipeline.features.images import centre_crop, letterbox, resize_to_square

BILINEAR, BICUBIC, LANCZOS = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS
FILL = (9, 80, 200)
CROP = partial(centre_crop, fill=FILL)
PREPROCESSES = (
    partial(resize_to_square, size=32),
    partial(resize_to_square, size=150),
    partial(letterbox, size=32),
    partial(letterbox, size=141),
    partial(CROP, size=32, edge=40, mode="center", resampling=BICUBIC),
    partial(CROP, size=32, edge=25, mode="border", resampling=BICUBIC),
    partial(CROP, size=32, edge=41, mode="squash", resampling=BILINEAR),
)
"""Those whose filters a GPU has as well."""
