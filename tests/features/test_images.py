"""The pixels that a network sees of a photo."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.data.photo import Photo, prepare
from pipeline.errors import InputError
from pipeline.features import images
from pipeline.features.images import decode, letterbox, resize_to_square


def test_the_square_shows_the_whole_photo():
    image = Image.new("RGB", (100, 50), "red")
    image.paste("blue", (50, 0, 100, 50))
    pixels = resize_to_square(image, 32)
    assert pixels.shape == (32, 32, 3)
    assert pixels.dtype == np.uint8
    assert (pixels[:, 0] == (255, 0, 0)).all()
    assert (pixels[:, -1] == (0, 0, 255)).all()


def test_resizing_averages_what_it_reduces():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    assert np.abs(resize_to_square(Image.fromarray(stripes), 8)[2:-2, 2:-2].astype(int) - 100).max() <= 3


def test_letterbox_centres_a_wide_photo_between_grey_bars():
    pixels = letterbox(Image.new("RGB", (200, 100), "red"), 64)
    assert pixels.shape == (64, 64, 3)
    assert (pixels[:16] == 114).all()
    assert (pixels[48:] == 114).all()
    assert (pixels[16:48] == (255, 0, 0)).all()


@given(st.integers(1, 600), st.integers(1, 600))
def test_letterbox_keeps_proportions_to_a_pixel(width: int, height: int):
    red = (letterbox(Image.new("RGB", (width, height), "red"), 64) == (255, 0, 0)).all(2)
    scale = 64 / max(width, height)
    assert red.any(0).sum() == max(1, round(width * scale))
    assert red.any(1).sum() == max(1, round(height * scale))
    assert max(red.any(0).sum(), red.any(1).sum()) == 64


def test_a_photo_that_was_taken_sideways_is_seen_upright():
    image = Image.new("RGB", (100, 60), "red")
    image.paste("blue", (0, 0, 100, 30))
    exif = image.getexif()
    exif[0x0112] = 6  # Turn it by 90 degrees clockwise to look at it.
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif, quality=95)
    upright = decode(prepare("p", buffer.getvalue()))
    assert upright.size == (60, 100)
    assert upright.getpixel((55, 50))[2] > 200
    assert upright.getpixel((5, 50))[0] > 200


def test_grey_photos_become_rgb():
    buffer = io.BytesIO()
    Image.new("L", (40, 40), 90).save(buffer, "JPEG")
    assert decode(Photo("p", buffer.getvalue(), 40, 40)).getpixel((0, 0)) == (90, 90, 90)


@pytest.mark.parametrize("broken", [b"", b"no picture", None])
def test_a_photo_that_cannot_be_decoded_is_named(photos, broken: bytes | None):
    (photo,) = photos(1)
    jpeg = photo.jpeg[: len(photo.jpeg) // 2] if broken is None else broken
    with pytest.raises(InputError, match="holiday"):
        decode(Photo("holiday", jpeg, 40, 40))


def test_so_is_one_over_which_pillow_stumbles(monkeypatch):
    def stumbles(_: object) -> None:
        raise ValueError("not enough values to unpack")

    monkeypatch.setattr(images, "JpegImageFile", stumbles)
    with pytest.raises(InputError, match=r"'holiday' cannot be decoded \(not enough values to unpack\)"):
        decode(Photo("holiday", b"a broken photo", 40, 40))
