"""Photos placed together look as if Pillow had placed each alone."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from pipeline.features.extraction import placing
from pipeline.features.extraction.placing import preprocess_together
from pipeline.features.images import placed, resize_to_square
from tests.support.preprocesses import BICUBIC, BILINEAR, CROP, FILL, LANCZOS, PREPROCESSES

sides = st.one_of(st.integers(1, 90), st.sampled_from([1, 2, 16, 17, 640]))
shapes = st.tuples(sides, sides)
places = st.tuples(shapes, st.tuples(st.integers(-50, 50), st.integers(-50, 50)))


def noise(shape: tuple[int, int]) -> Tensor:
    """Draws a photo of a height and width: uint8 (3, height, width)."""
    rng = np.random.default_rng(shape)
    # Not the brightest and darkest: where a bicubic filter overshoots, it matters which axis Pillow resizes first.
    return torch.from_numpy(rng.integers(60, 196, (3, *shape), dtype=np.uint8))


def picture(pixels: Tensor) -> Image.Image:
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())


def by_pillow(pixels: Tensor, scaled, corner, size: int, resampling: Image.Resampling) -> np.ndarray:
    """Places one photo: lays it on a large plain, and cuts the square out of that."""
    (width, height), (left, top) = scaled, corner
    plain = np.full((height + size + 200, width + size + 200, 3), FILL)
    plain[100 : 100 + height, 100 : 100 + width] = picture(pixels).resize(scaled, resampling)
    return plain[100 - top :, 100 - left :][:size, :size]


def differences(one: Tensor, other: object) -> np.ndarray:
    return np.abs(one.numpy().astype(int) - np.asarray(other))


@given(
    st.lists(st.tuples(shapes, places), min_size=1, max_size=5),
    st.integers(1, 40),
    st.sampled_from([BILINEAR, BICUBIC]),
)
@example([((800, 40), ((20, 20), (0, 0))), ((20, 20), ((20, 20), (0, 0)))], 20, BILINEAR)
@example([((1, 500), ((1, 1), (3, 0))), ((500, 1), ((64, 1), (-30, 39)))], 40, BICUBIC)
def test_any_photos_in_any_places_are_right_to_a_unit_an_axis(given, size: int, resampling):
    photos, where = [noise(shape) for shape, _ in given], iter([place for _, place in given])
    squares = preprocess_together(lambda photo: placed(photo, *next(where), size, FILL, resampling), photos)
    assert (squares.shape, squares.dtype) == ((len(photos), size, size, 3), torch.uint8)
    for square, pixels, (_, place) in zip(squares, photos, given, strict=True):
        # A unit may be lost on each axis.
        assert differences(square, by_pillow(pixels, *place, size, resampling)).max() <= 2


@pytest.mark.parametrize("preprocess", PREPROCESSES)
def test_photos_are_preprocessed_as_by_pillow(preprocess: partial):
    photos = [noise(shape) for shape in [(50, 33), (500, 375), (333, 500), (32, 400), (32, 32)]]
    squares = preprocess_together(preprocess, photos)
    assert squares.is_contiguous()
    for square, pixels in zip(squares, photos, strict=True):
        assert differences(square, preprocess(picture(pixels))).max() <= 2


@pytest.mark.parametrize("resampling", [BILINEAR, BICUBIC])
def test_few_pixels_differ_at_all(resampling):
    photos = [noise((height, 250)) for height in range(150, 180)]
    squares = preprocess_together(
        partial(placed, scaled=(96, 64), corner=(0, 16), size=96, fill=FILL, resampling=resampling), photos
    )
    expected = [by_pillow(pixels, (96, 64), (0, 16), 96, resampling) for pixels in photos]
    assert differences(squares, expected).mean() <= 0.02


@pytest.mark.parametrize("shade", [0, 1, 127, 128, 254, 255])
def test_a_plain_photo_stays_exactly_so(shade: int):
    photos = [torch.full((3, *shape), shade, dtype=torch.uint8) for shape in [(500, 375), (31, 700), (5, 5)]]
    for resampling in (BILINEAR, BICUBIC):
        squares = preprocess_together(partial(CROP, size=64, edge=64, mode="squash", resampling=resampling), photos)
        assert (squares == shade).all()


def test_each_photo_may_have_a_filter_and_a_fill_of_its_own():
    kinds = [(LANCZOS, FILL), (BILINEAR, FILL), (BICUBIC, FILL), (LANCZOS, FILL), (BILINEAR, (1, 2, 3))] * 2
    photos = [noise((40 + number, 60)) for number in range(len(kinds))]

    def preprocess(photo, kind):
        resampling, fill = kind
        return placed(photo, (20, 30), (8, 2), 32, fill, resampling)

    given = iter(kinds)
    squares = preprocess_together(lambda photo: preprocess(photo, next(given)), photos)
    for square, pixels, kind in zip(squares, photos, kinds, strict=True):
        most = 0 if kind[0] == LANCZOS else 2
        assert differences(square, preprocess(picture(pixels), kind)).max() <= most


def test_one_panorama_does_not_enlarge_the_memory_of_all(monkeypatch):
    canvases, canvas = [], placing._canvas

    def watched(photos):
        made = canvas(photos)
        canvases.append((len(photos), made.numel()))
        return made

    monkeypatch.setattr(placing, "_canvas", watched)
    monkeypatch.setattr(placing, "AT_ONCE", 3 * 64 * 64 * 8)
    photos = [noise((64, 64 - number % 3)) for number in range(30)]
    photos.insert(7, noise((60, 3000)))
    squares = preprocess_together(partial(resize_to_square, size=16), photos)
    for square, pixels in zip(squares, photos, strict=True):
        assert differences(square, by_pillow(pixels, (16, 16), (0, 0), 16, BILINEAR)).max() <= 1
    assert sorted(canvases)[0] == (1, 3 * 64 * 3008)
    assert all(size <= placing.AT_ONCE for count, size in canvases if count > 1)
    assert len(canvases) == 5


@pytest.mark.gpu
@pytest.mark.parametrize("resampling", [BILINEAR, BICUBIC])
def test_a_gpu_places_as_a_cpu_does(gpu, resampling):
    photos = [noise((height, 500)) for height in range(200, 400, 7)]
    preprocess = partial(CROP, size=224, edge=256, mode="center", resampling=resampling)
    found = preprocess_together(preprocess, [pixels.to(gpu) for pixels in photos]).cpu()
    off = differences(found, preprocess_together(preprocess, photos))
    assert off.max() <= 1
    assert off.mean() <= 0.02
