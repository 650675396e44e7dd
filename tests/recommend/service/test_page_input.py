"""What is typed, pasted and dropped on the page."""

import sys
import unicodedata

import pytest

from pipeline.data.names import normalise
from pipeline.recommend.service.messages import LONGEST
from tests.support.page import PHOTOS, add, enter_user, save_one, saved, tags_of, take, take_on_all, wait_for
from tests.support.service import wait_until

PASTE = """([field, text]) => { const clipboardData = new DataTransfer(); clipboardData.setData("text/plain", text);
const event = new ClipboardEvent("paste", {clipboardData, bubbles: true, cancelable: true});
document.querySelector(field).dispatchEvent(event); }"""
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@pytest.fixture
def one(visit):
    enter_user(visit, "ann")
    add(visit, ["a.jpg"])
    return visit


def test_typed_tags_are_split_and_cleaned(one, client):
    take(one, "lunch, tasty;food,,  new   york ،شاي")
    take(one, f"#Lunch; ##été, #1, C#, {FAMILY}, lunch, \u200bsea\u200b, \u200f")
    expected = ["lunch", "tasty", "food", "new york", "شاي", "Lunch", "été", "#1", "C#", FAMILY, "sea"]
    wait_until(lambda: tags_of(one, "taken") == expected)
    one.click("#next")
    one.wait_for_selector("#taken .saved")
    assert saved(client) == {"a.jpg": tuple(expected)}


def test_pasted_lines_are_tags(one):
    one.focus("#own-tag")
    one.keyboard.type("a,")
    one.evaluate(PASTE, ["#own-tag", "sea\r\n#beach\n\nnew york\n"])
    assert one.input_value("#own-tag") == "a,sea, #beach, new york"
    one.keyboard.press("Enter")
    wait_until(lambda: tags_of(one, "taken") == ["a", "sea", "beach", "new york"])


@pytest.mark.parametrize(
    ("typed", "place", "expected"),
    [("sea", 3, "sea, sun, moon"), ("sea", 0, "sun, moon, sea"), ("sea,", 4, "sea,sun, moon"), ("", 0, "sun, moon")],
)
def test_pasted_lines_are_not_joined_to_what_is_there(one, typed, place, expected):
    one.fill("#own-tag", typed)
    one.evaluate("place => document.querySelector('#own-tag').setSelectionRange(place, place)", place)
    one.evaluate(PASTE, ["#own-tag", "\nsun\nmoon\n"])
    assert one.input_value("#own-tag") == expected


def test_tags_lose_the_characters_that_names_lose(visit):
    letters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    assigned = [letter for letter in letters if unicodedata.category(letter) != "Cn" or normalise(letter) == ""]
    texts = [text for letter in assigned for text in (letter, f"a{letter}b")]
    texts += ["\U0001f3f4\U000e0067\U000e007fx", "a\x1b[31mb", " a  b\u3164"]
    spelt = visit.evaluate(
        """async (texts) => { const { normalise } = await import("/typed.js"); return texts.map(normalise); }""",
        texts,
    )
    assert [text for text, tag in zip(texts, spelt, strict=True) if tag != normalise(text)] == []
    halves = visit.evaluate("""async () => (await import("/typed.js")).normalise("a" + "\\ud83d" + "b")""")
    assert halves == "ab"


def test_text_that_is_left_in_the_field_is_saved_as_tags(one, client):
    one.fill("#own-tag", "sea, #hill")
    one.click("#next")
    one.wait_for_selector("#taken .saved")
    assert saved(client) == {"a.jpg": ("sea", "hill")}
    assert one.input_value("#own-tag") == ""
    one.fill("#own-tag", "é" * (LONGEST + 1))
    one.click("#next")
    one.wait_for_selector(f"#status >> text=A tag has at most {LONGEST} letters")
    assert one.input_value("#own-tag") != ""


def test_text_that_is_left_in_the_field_of_the_grid_is_saved_as_tags(visit, client):
    enter_user(visit, "ann")
    add(visit)
    visit.click("[data-view=grid]")
    visit.check("#all")
    visit.fill("#for-all-tag", "sea")
    visit.click("#save-all")
    visit.wait_for_selector("#save-all >> text=All saved")
    assert set(saved(client).values()) == {("sea",)}


def test_a_name_is_cut_between_letters(visit, client):
    enter_user(visit, "ann")
    name = "\U0001f600" * 300 + ".jpg"
    visit.set_input_files("#photos-input", [{"name": name, "mimeType": "image/jpeg", "buffer": PHOTOS["a.jpg"]}])
    save_one(visit, "sea")
    assert saved(client) == {name[-255:]: ("sea",)}


def test_the_last_of_several_tags_is_completed(one):
    one.focus("#own-tag")
    one.keyboard.type("sea, #turq")
    one.wait_for_selector("#own-tags [role=option] >> text=turquoise")
    one.keyboard.press("ArrowDown")
    one.keyboard.press("Enter")
    wait_until(lambda: tags_of(one, "taken") == ["sea", "turquoise"])


def test_several_tags_are_taken_on_all_selected(visit):
    enter_user(visit, "ann")
    add(visit)
    take_on_all(visit, "sea; #beach")
    visit.wait_for_selector("#status >> text=on 3 photos")
    assert visit.locator(".card .tags").all_inner_texts() == ["sea, beach"] * 3


def test_a_tag_that_is_too_long_or_too_many_stays_in_the_field_with_the_reason(one):
    take(one, "é" * (LONGEST + 1))
    one.wait_for_selector(f"#status >> text=A tag has at most {LONGEST} letters; this one has {LONGEST + 1}.")
    assert len(one.input_value("#own-tag")) == LONGEST + 1
    take(one, "😀" * LONGEST)
    wait_until(lambda: tags_of(one, "taken") == ["😀" * LONGEST])
    take(one, ",".join(map(str, range(100))))
    one.wait_for_selector("#status >> text=A photo has at most 100 tags.")
    assert len(tags_of(one, "taken")) == 1
    take(one, ",".join(map(str, range(99))))
    wait_until(lambda: len(tags_of(one, "taken")) == 100)
    one.press("#own-tag", "Escape")
    one.evaluate("document.querySelector('#status').textContent = ''")
    one.click("#suggested .take >> nth=0")
    one.wait_for_selector("#status >> text=A photo has at most 100 tags.")
    one.click("[data-view=grid]")
    one.check("#all")
    one.evaluate("document.querySelector('#status').textContent = ''")
    one.click("#for-all .take >> nth=0")
    one.wait_for_selector("#status >> text=A photo has at most 100 tags.")


def test_files_that_are_not_photos_are_named(visit):
    photo = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": PHOTOS["a.jpg"]}
    others = [{"name": name, "mimeType": "text/plain", "buffer": b"x"} for name in ("README.md", "b.txt", ".DS_Store")]

    def status() -> str:
        return visit.inner_text("#status").replace("\u2068", "").replace("\u2069", "")

    visit.set_input_files("#photos-input", others[:1])
    wait_until(lambda: status() == "1 file is not a photo: README.md.")
    visit.set_input_files("#photos-input", [photo, *others])
    wait_until(lambda: status() == "Added 1 photo. 2 files are not photos: b.txt, README.md.")
    many = [{**others[0], "name": f"{number}.txt"} for number in range(9)]
    visit.set_input_files("#photos-input", many)
    wait_until(lambda: status() == "9 files are not photos: 0.txt, 1.txt, 2.txt and 6 more.")


def test_a_photo_without_a_known_type_is_known_by_its_name(visit):
    visit.set_input_files(
        "#photos-input", [{"name": "a.HEIC", "mimeType": "application/octet-stream", "buffer": PHOTOS["a.jpg"]}]
    )
    wait_for(visit, "document.querySelectorAll('#suggested .chip').length > 0")


def test_dragged_text_is_left_to_the_field(one):
    prevented = one.evaluate(
        """() => { const data = new DataTransfer(); data.setData("text/plain", "sea");
        const event = new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true});
        document.querySelector("#own-tag").dispatchEvent(event); return event.defaultPrevented; }"""
    )
    assert not prevented
