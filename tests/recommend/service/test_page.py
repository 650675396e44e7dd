"""The page in a real browser: from a dropped photo to a sidecar, by the mouse and by the keyboard alone."""

import io
import zipfile

import pytest

from pipeline.data.photo import PhotoFile
from pipeline.recommend.service.server import Address
from tests.support.browser import violations
from tests.support.fake_recommender import FakeRecommender, photo_of
from tests.support.page import HOSTILE, PHOTOS, SCREENS, add, enter_user, saved, tags_of, wait_for
from tests.support.service import TOKEN, hash_of, running_service, wait_until


def test_photos_at_hand_are_offered_to_be_tried(browser, tmp_path):
    examples = [PhotoFile(f"{colour}.jpg", photo_of(colour, (64, 48))) for colour in ("red", "green")]
    with running_service(FakeRecommender(), tmp_path, examples=examples) as client:
        page = browser.new_page()
        page.goto(client.url)
        page.click("button[aria-label='Try green.jpg']")
        page.wait_for_selector("#suggested .chip")
        assert page.text_content("#photo-name") == "green.jpg"
        page.reload()
        page.click("#try-all")
        wait_until(lambda: page.locator("#strip li").count() == 2)
        page.close()


def test_no_suggestion_is_shown_as_certain(visit):
    shown = "async () => { const { percent } = await import('/dom.js'); return [0.004, 0.5, 0.995, 1].map(percent); }"
    assert visit.evaluate(shown) == ["0 %", "50 %", "99 %", "99 %"]


def test_from_a_dropped_photo_to_a_sidecar_by_the_mouse(visit, client):
    enter_user(visit, "ann")
    transfer = visit.evaluate_handle(
        """bytes => { const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], "a.jpg", {type: "image/jpeg"})); return transfer; }""",
        list(PHOTOS["a.jpg"]),
    )
    visit.dispatch_event("main", "drop", {"dataTransfer": transfer})
    visit.wait_for_selector("#suggested .chip")
    assert tags_of(visit, "suggested")[0] == "red"
    visit.hover("#suggested .chip:first-child")
    assert "you used it 5 times" in visit.inner_text("#why")
    visit.click("#suggested .chip:first-child .take")
    visit.wait_for_selector("#taken >> text=red")
    visit.click("#suggested .chip:first-child .x")
    visit.wait_for_selector("#rejected button")
    visit.click("#next")
    visit.wait_for_selector("#taken .saved")
    assert saved(client) == {"a.jpg": ("red",)}
    visit.click("#export summary")
    with visit.expect_download() as download:
        visit.click("[data-export=sidecars]")
    with zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())) as archive:
        assert archive.namelist() == ["a.jpg.xmp"]
        assert b"<rdf:li>red</rdf:li>" in archive.read("a.jpg.xmp")


def test_three_photos_by_the_keyboard_alone(visit, client):
    visit.locator("#user").focus()
    visit.keyboard.type("ann")
    visit.keyboard.press("Enter")
    add(visit)
    visit.keyboard.press("1")
    visit.wait_for_selector("#taken >> text=red")
    rejected = tags_of(visit, "suggested")[1]
    visit.keyboard.press("Shift+Digit2")
    visit.wait_for_selector(f"#rejected >> text={rejected}")
    visit.keyboard.press("t")
    visit.keyboard.type("holiday in the hills")
    visit.keyboard.press("Enter")
    visit.wait_for_selector("#taken >> text=holiday in the hills")
    visit.keyboard.press("Escape")
    visit.keyboard.press("Enter")
    visit.wait_for_selector("#photo-name >> text=b.png")
    visit.keyboard.press("t")
    visit.keyboard.type("turq")
    visit.wait_for_selector("#own-tags [role=option]")
    visit.keyboard.press("ArrowDown")
    visit.keyboard.press("Enter")
    visit.wait_for_selector("#taken >> text=turquoise")
    visit.keyboard.press("Escape")
    visit.keyboard.press("Enter")
    visit.wait_for_selector("#photo-name >> text=c.jpg")
    visit.keyboard.press("ArrowLeft")
    visit.wait_for_selector("#photo-name >> text=b.png")
    assert saved(client) == {"a.jpg": ("red", "holiday in the hills"), "b.png": ("turquoise",)}


def test_a_tag_is_taken_on_all_selected(visit, client):
    enter_user(visit, "ann")
    add(visit)
    visit.click("[data-view=grid]")
    wait_for(visit, "document.querySelectorAll('.card.ready').length === 3")
    visit.check("#all")
    visit.fill("#for-all-tag", "holiday")
    visit.keyboard.press("Enter")
    visit.uncheck(".card:nth-child(2) input")
    visit.click("#for-all .take >> nth=0")
    visit.click("#save-all")
    visit.wait_for_selector("#save-all >> text=All saved")
    tags = saved(client)
    assert list(tags) == ["a.jpg", "b.png", "c.jpg"]
    assert tags["b.png"] == ("holiday",)
    assert tags["a.jpg"] == tags["c.jpg"]
    assert len(tags["a.jpg"]) == 2


def test_what_was_saved_is_known_to_the_next_photo(visit):
    enter_user(visit, "eve")
    add(visit, ["a.jpg", "b.png"])
    before = tags_of(visit, "suggested")
    visit.fill("#own-tag", "aurora")
    visit.keyboard.press("Enter")
    visit.click("#next")
    visit.wait_for_selector("#photo-name >> text=b.png")
    visit.wait_for_selector("#suggested .chip")
    assert "aurora" not in before
    visit.fill("#own-tag", "auro")
    visit.wait_for_selector("#own-tags [role=option]")
    assert visit.locator("#own-tags bdi").all_text_contents() == ["aurora"]


def test_a_saved_post_can_be_changed_and_taken_back(visit, client):
    enter_user(visit, "ann")
    add(visit, ["a.jpg"])
    for tag in ("one", "two"):
        visit.fill("#own-tag", tag)
        visit.keyboard.press("Enter")
        visit.click("#next")
        visit.wait_for_selector("#taken .saved")
    assert saved(client) == {"a.jpg": ("one", "two")}
    for _ in range(2):
        visit.click("#taken .x >> nth=0")
    visit.click("#next")
    wait_until(lambda: saved(client) == {})


def test_hostile_tags_and_names_are_text(visit):
    enter_user(visit, "mallory")
    files = [{"name": f"{HOSTILE}.jpg", "mimeType": "image/jpeg", "buffer": PHOTOS["a.jpg"]}]
    visit.set_input_files("#photos-input", files)
    visit.wait_for_selector("#suggested .chip")
    assert HOSTILE in tags_of(visit, "suggested")
    visit.click("[data-view=grid]")
    visit.check("#all")
    assert visit.title() == "Tags for your photos"
    assert visit.locator("img[src=x]").count() == 0


def test_a_file_that_is_no_photo_says_so(visit):
    files = [{"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"hello"}]
    visit.set_input_files("#photos-input", files)
    visit.wait_for_selector("#suggested-state >> text=not an image")


@pytest.mark.parametrize("sees_places", [True, False])
def test_a_photo_that_does_not_say_where_it_was_taken_says_so(browser, tmp_path, sees_places):
    """Only where the model sees places, and not beside the next photo, which says where."""
    without = {hash_of(PHOTOS["a.jpg"])} if sees_places else ()
    recommender = FakeRecommender(sees_places=sees_places, without_place=without)
    with running_service(recommender, tmp_path) as client:
        page = browser.new_page()
        page.goto(client.url)
        add(page, ["a.jpg", "b.png"])
        assert page.is_visible("text=This photo does not say where it was taken.") == sees_places
        page.keyboard.press("ArrowRight")
        page.wait_for_selector("#photo-name >> text=b.png")
        page.wait_for_selector("#suggested .chip")
        assert page.is_hidden("#unplaced")
        assert violations(page) == []
        page.close()


def test_a_photo_that_the_browser_cannot_show_is_shown_as_the_networks_see_it(visit):
    files = [{"name": "a.tif", "mimeType": "image/tiff", "buffer": photo_of("red", (640, 480), "TIFF")}]
    visit.set_input_files("#photos-input", files)
    wait_for(visit, "document.querySelector('#photo').naturalWidth === 500")


@pytest.mark.parametrize("visit", SCREENS, indirect=True, ids=str)
def test_everyone_can_use_it(visit):
    def check() -> None:
        width, screen = visit.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width == screen
        assert violations(visit) == []

    check()
    enter_user(visit, "ann")
    add(visit)
    visit.keyboard.press("Escape")
    visit.click("#suggested .take >> nth=0")
    visit.click("#suggested .x >> nth=0")
    visit.wait_for_selector("#rejected button")
    check()
    visit.fill("#own-tag", "r")
    visit.wait_for_selector("#own-tags [role=option]")
    visit.click("#export summary")
    check()
    visit.click("[data-view=grid]")
    visit.check(".card:nth-child(2) input")
    check()
    visit.evaluate("document.querySelector('#help').showModal()")
    check()


def test_where_others_can_reach_it_the_page_asks_for_the_token(browser, tmp_path):
    address = Address(host="0.0.0.0", port=0, token=TOKEN)
    with running_service(FakeRecommender(), tmp_path, address) as client:
        url = f"http://127.0.0.1:{client.port}/"
        assert TOKEN not in client.get("").text
        page = browser.new_page()
        page.goto(url)
        page.fill("#token", TOKEN)
        page.keyboard.press("Enter")
        page.wait_for_selector("#labels >> text=seeded weights")
        page.goto(f"{url}#token={TOKEN}")
        page.reload()
        page.wait_for_selector("#labels >> text=seeded weights")
        page.close()
        page = browser.new_page()
        page.goto(f"{url}#token={TOKEN}")
        page.wait_for_selector("#labels >> text=seeded weights")
        assert page.url == url
        page.close()
