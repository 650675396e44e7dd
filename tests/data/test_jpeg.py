"""JPEG files without metadata: the picture keeps its bytes, and nothing else stays."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from pipeline.data.jpeg import strip_metadata


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def encoded(**options) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG", **options)
    return buffer.getvalue()


PLAIN = encoded()
KINDS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 2},
    "full colour": {"subsampling": 0, "quality": 100},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_jpeg_without_metadata_keeps_its_bytes(kind):
    jpeg = encoded(**KINDS[kind])
    assert strip_metadata(jpeg) == jpeg


@pytest.mark.parametrize("kind", KINDS)
def test_metadata_goes_and_nothing_else(kind):
    jpeg = encoded(**KINDS[kind])
    noted = jpeg[:20] + segment(0xE1, b"Exif\0\0secret") + segment(0xFE, b"secret") + jpeg[20:] + b"secret"
    assert strip_metadata(noted) == jpeg


def test_metadata_between_the_scans_of_a_progressive_jpeg_goes():
    jpeg = encoded(progressive=True)
    second_scan = jpeg.index(b"\xff\xda", jpeg.index(b"\xff\xda") + 1)
    noted = jpeg[:second_scan] + segment(0xED, b"Photoshop 3.0\0secret") + jpeg[second_scan:]
    assert strip_metadata(noted) == jpeg


def test_what_colours_are_read_by_stays():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    coloured = encoded(icc_profile=profile)
    assert strip_metadata(coloured) == coloured
    adobe = segment(0xEE, b"Adobe\0\x64\0\0\0\0\0")
    assert strip_metadata(PLAIN[:2] + adobe + PLAIN[20:]) == PLAIN[:2] + adobe + PLAIN[20:]


SEGMENTS = st.lists(
    st.tuples(st.sampled_from([*range(0xE1, 0xF0), 0xFE]), st.binary(max_size=40).map(lambda content: b"x" + content))
)


@given(SEGMENTS)
def test_any_notes_before_the_picture_go(segments):
    noted = PLAIN[:20] + b"".join(segment(marker, content) for marker, content in segments) + PLAIN[20:]
    assert strip_metadata(noted) == PLAIN


@given(st.binary(max_size=60), st.integers(0, len(PLAIN)))
def test_what_is_no_jpeg_is_refused_or_ends_where_a_jpeg_does(tail, end):
    try:
        stripped = strip_metadata(PLAIN[:end] + tail)
    except ValueError:
        return
    assert stripped.endswith(b"\xff\xd9")
    assert len(stripped) <= end + len(tail)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\xff\xd8", PLAIN[:-2], b"\xff\xd8\xff\xe1\0\1\xff\xd9"])
def test_a_file_that_is_built_otherwise_is_refused(data):
    with pytest.raises(ValueError, match=r"JPEG|marker|cut short|end"):
        strip_metadata(data)
