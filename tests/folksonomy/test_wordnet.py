"""English words, by a WordNet of four words and, where there is one, by the real one."""

import os
import warnings
import zipfile

import nltk
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.folksonomy import wordnet
from pipeline.folksonomy.wordnet import english

LETTERS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
INDEX = {"noun": ["cloud", "mouse", "new_york"], "verb": ["run"], "adj": ["blue"], "adv": ["quickly"]}
EXCEPTIONS = {"noun": "mice mouse\n", "verb": "ran run\n"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """WordNet's files for a handful of words; NLTK and Debian have none."""
    for kind, words in INDEX.items():
        part, numbered = LETTERS[kind], list(enumerate(words, start=1))
        lines = [f"{word} {part} 1 0 1 0 {number:08}  \n" for number, word in numbered]
        (tmp_path / f"index.{kind}").write_text("  1 The licence stands here.\n" + "".join(lines))
        (tmp_path / f"{kind}.exc").write_text(EXCEPTIONS.get(kind, ""))
        synsets = [f"{number:08} 03 {part} 01 {word} 0 000 | a gloss\n" for number, word in numbered]
        (tmp_path / f"data.{kind}").write_text("  1 WordNet 3.0 Copyright\n" + "".join(synsets))
    monkeypatch.setattr(nltk.data, "path", [])
    monkeypatch.setattr(wordnet, "DEBIAN", tmp_path / "absent")
    monkeypatch.delenv(wordnet.VARIABLE, raising=False)
    return tmp_path


@pytest.mark.parametrize("word", ["cloud", "clouds", "Clouds", "mice", "new york", "New York", "runs", "ran", "bluer"])
def test_words_and_their_forms_are_english(folder, word):
    assert english(folder)(word)


@pytest.mark.parametrize("word", ["wolke", "cloudz", "newyork", "d50", "", " ", "été", "cloud\ncloud"])
def test_other_words_are_not(folder, word):
    assert not english(folder)(word)


@given(
    stem=st.sampled_from([*INDEX["noun"], "mic", "ra", "qu", "blu", "cloudi"]), end=st.text("bdegimnrstuyz", max_size=5)
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_short_way_to_no_tells_what_the_morphology_tells(folder, stem, end):
    with warnings.catch_warnings(action="ignore"):  # It misses the multilingual files.
        reader = wordnet._Reader(wordnet._allowed(folder), omw_reader=None)
    assert reader.knows(stem + end) == (reader.morphy(stem + end) is not None)


def test_the_environment_names_the_folder(folder, monkeypatch):
    monkeypatch.setenv(wordnet.VARIABLE, str(folder))
    assert english()("clouds")


def test_nltks_own_download_is_found(folder, monkeypatch):
    download = folder / "nltk_data"
    (download / "corpora/wordnet").mkdir(parents=True)
    for file in folder.glob("*.*"):
        file.rename(download / "corpora/wordnet" / file.name)
    monkeypatch.setattr(nltk.data, "path", [str(download)])
    assert english()("clouds")


def test_debians_package_is_found(folder, monkeypatch):
    monkeypatch.setattr(wordnet, "DEBIAN", folder)
    assert english()("clouds")


@pytest.mark.usefixtures("folder")
def test_without_wordnet_the_remedies_are_said():
    with pytest.raises(InputError) as caught:
        english()
    for remedy in ("WNSEARCHDIR", "nltk.downloader wordnet", "wordnet-base"):
        assert remedy in str(caught.value)


def test_a_folder_that_is_none_of_wordnets_is_said(folder):
    for wrong in (folder / "absent", folder.parent):
        with pytest.raises(InputError, match="does not hold WordNet"):
            english(wrong)


@pytest.mark.parametrize("name", ["index.noun", "data.noun"])
def test_truncated_files_are_refused(folder, name):
    whole = (folder / name).read_text()
    (folder / name).write_text(whole[: whole.rindex("\n", 0, -1) + 1])
    with pytest.raises(InputError, match=r"damaged files of WordNet: index\.noun and data\.noun"):
        english(folder)


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_files_may_be_links(folder, tmp_path_factory, link):
    linked = tmp_path_factory.mktemp("linked")
    for file in folder.glob("*.*"):
        getattr(linked / file.name, link)(file)
    assert english(linked)("clouds")


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK"])
def test_an_archive_that_is_damaged_is_passed_over_and_named(folder, monkeypatch, caplog, content):
    download = folder / "nltk_data"
    (download / "corpora").mkdir(parents=True)
    (download / "corpora/wordnet.zip").write_bytes(content)
    monkeypatch.setattr(nltk.data, "path", [str(download)])
    with pytest.raises(InputError, match="English tags need WordNet"):
        english()
    monkeypatch.setattr(wordnet, "DEBIAN", folder)
    assert english()("clouds")
    assert "wordnet.zip" in caplog.text


def test_an_archive_is_read_and_a_flipped_bit_in_it_is_found(folder, monkeypatch):
    download = folder / "nltk_data/corpora"
    download.mkdir(parents=True)
    with zipfile.ZipFile(download / "wordnet.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.glob("*.*"):
            archive.write(file, f"wordnet/{file.name}")
    monkeypatch.setattr(nltk.data, "path", [str(download.parent)])
    assert english()("clouds")
    data = bytearray((download / "wordnet.zip").read_bytes())
    data[data.index(b"wordnet/index.noun") + 40] ^= 1
    (download / "wordnet.zip").write_bytes(data)
    with pytest.raises(InputError, match="does not hold WordNet's files"):
        english()


def test_the_real_wordnet():
    try:
        is_english = english()
    except InputError as error:
        if "CI" in os.environ:  # .ci/run sees to it.
            raise
        pytest.skip(str(error))
    words = ["clouds", "Cloud", "mice", "running", "geese", "london", "new york", "happier"]
    others = ["qwxyz", "nikond50", "wolken", "2007"]
    assert [word for word in words + others if is_english(word)] == words
