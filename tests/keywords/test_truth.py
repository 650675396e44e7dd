"""Real files of photo programs: the right keywords of each, as a person finds them."""

import json
from pathlib import Path

import pytest

from pipeline.data.names import normalise
from pipeline.keywords.embedded import read_photo
from pipeline.keywords.metadata import KeywordError
from pipeline.keywords.sidecars import SIDECARS, read_sidecar
from pipeline.keywords.tags import tags_of

EVERY_LEVEL = ("hierarchy/lightroom-root.jpg", "hierarchy/museum.jpg", "hierarchy/mwg-kw.xmp")
"""Files whose truth lists the nodes of paths one by one."""
MORE = {
    # Three fields hold three sets; the truth is the first of them, and ours the union.
    "derived/hierarchy-differs.jpg": {"Anna", "Garden", "Polemonium"},
    # A root that dc:subject lacks, though it stands in lr:hierarchicalSubject.
    "hierarchy/museum.jpg": {"~6~ATTRIBUTES"},
}
"""Tags beyond the truth, by file."""
UNREADABLE = {
    "broken/no-rdf-bag.xmp": "is not XMP",  # Not well-formed: its keywords would be a guess.
    "broken/zero-bytes.png": "cannot be read by exiv2",  # As the truth has it: without keywords.
}
"""Files that are a reason, and have no tags."""
OTHERS = ("exports/flickr/", "exports/google-takeout/album/")
"""Files of no photo in a folder: a source of their own reads them, or nobody does."""


def keywords(file: Path) -> dict:
    """Reads a photo, or a sidecar of any photo that it may belong to."""
    owners = (file.stem, f"{file.stem}.jpg", file.name.partition(".supplemental")[0], "DSC_0238(1).JPG")
    for owner in owners:
        if any(file.name.lower() == name.lower() for kind in SIDECARS for name in kind.names(owner)):
            return read_sidecar(file, owner)[1].keywords
    return read_photo(file).keywords


@pytest.mark.real
def test_real_files_have_the_right_keywords(real_data):
    folder = real_data / "metadata"
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    wrong, reasons = {}, {}
    for name, words in truth.items():
        if name.startswith(OTHERS):
            continue
        try:
            levels = "every" if name in EVERY_LEVEL else "leaf"
            found = set(tags_of(keywords(folder / name), levels, (), lowercase=False))
        except KeywordError as error:
            reasons[name] = error.reason.partition(" (")[0]
            continue
        if found != {normalise(word) for word in words} | MORE.get(name, set()):
            wrong[name] = found
    assert wrong == {}
    assert reasons == UNREADABLE
    assert len(truth) > 90
