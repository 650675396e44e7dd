"""The page when one file is added twice: the service keeps one post of a user for both."""

from pipeline.recommend.service.journal import Journal
from tests.support.page import PHOTOS, add, enter_user, hold_first, save_one, saved, tags_of, take
from tests.support.service import hash_of, wait_until


def status_of(page) -> str:
    return page.inner_text("#status").replace("\u2068", "").replace("\u2069", "")


def add_copies(page, *names: str) -> None:
    files = [{"name": name, "mimeType": "image/jpeg", "buffer": PHOTOS["a.jpg"]} for name in names]
    page.set_input_files("#photos-input", files)


def test_a_copy_is_in_the_list_once_with_the_tags_of_both(visit, client):
    enter_user(visit, "ann")
    add_copies(visit, "p1.jpg")
    save_one(visit, "sea")
    held = hold_first(visit, "**/api/suggest")
    add_copies(visit, "p2.jpg")
    visit.wait_for_selector("#strip li:nth-child(2)")
    wait_until(lambda: visit.wait_for_timeout(50) or held)
    visit.keyboard.press("Escape")
    visit.click("#strip li:nth-child(2) button")
    visit.wait_for_selector("#photo-name >> text=p2.jpg")
    take(visit, "hill")
    visit.click("#next")
    held[0].continue_()
    visit.wait_for_selector("#photo-name >> text=p1.jpg")
    visit.wait_for_selector("#taken .saved")
    assert tags_of(visit, "taken") == ["sea", "hill"]
    with Journal.open(client.journal) as journal:
        assert [(post.photo, post.tags) for post in journal.posts()] == [(hash_of(PHOTOS["a.jpg"]), ("sea", "hill"))]


def test_copies_are_named_and_exported_as_one_photo(visit):
    enter_user(visit, "ann")
    add_copies(visit, "p1.jpg", "p2.jpg")
    wait_until(lambda: "is the same picture as" in status_of(visit))
    visit.click("[data-view=grid]")
    assert visit.locator(".card").count() == 1
    add_copies(visit, "p3.jpg", "p4.jpg")
    wait_until(lambda: status_of(visit).startswith("3 photos are the same pictures as others"))
    visit.check("#all")
    visit.fill("#for-all-tag", "sea")
    visit.keyboard.press("Enter")
    visit.click("#save-all")
    visit.wait_for_selector("#save-all >> text=All saved")
    visit.click("#export summary")
    with visit.expect_download():
        visit.click("[data-export=csv]")
    wait_until(lambda: status_of(visit) == "Exported 1 photo.")


def look_as_bob_at_the_second_copy(visit) -> None:
    """Has ann save a photo, p1.jpg, and bob look at his copy of it, p2.jpg."""
    enter_user(visit, "ann")
    add_copies(visit, "p1.jpg")
    save_one(visit, "sea")
    enter_user(visit, "bob")
    add_copies(visit, "p2.jpg")
    visit.click("#next")
    visit.wait_for_selector("#photo-name >> text=p2.jpg")


def test_copies_of_two_users_are_two_posts(visit, client):
    look_as_bob_at_the_second_copy(visit)
    take(visit, "hill")
    visit.wait_for_selector("#suggested .chip")
    enter_user(visit, "ann")
    visit.wait_for_selector("#photo-name >> text=p1.jpg")
    wait_until(lambda: tags_of(visit, "taken") == ["sea", "hill"])
    enter_user(visit, "bob")
    add_copies(visit, "p3.jpg")
    visit.click("#next")
    visit.wait_for_selector("#photo-name >> text=p3.jpg")
    take(visit, "lake")
    visit.click("#next")
    visit.wait_for_selector("#taken .saved")
    assert saved(client, "bob") == {"p3.jpg": ("lake",)}
    assert saved(client, "ann") == {"p1.jpg": ("sea", "hill")}


def test_an_answer_for_a_copy_that_has_left_the_list_takes_no_other_photo_out(visit):
    look_as_bob_at_the_second_copy(visit)
    visit.wait_for_selector("#suggested .chip")
    held = hold_first(visit, "**/api/suggest")
    take(visit, "hill")
    wait_until(lambda: visit.wait_for_timeout(50) or held)
    enter_user(visit, "ann")
    visit.wait_for_selector("#photo-name >> text=p1.jpg")
    add(visit, ["b.png"])
    with visit.expect_response("**/api/suggest"):
        held[0].continue_()
    visit.wait_for_timeout(200)
    assert visit.locator("#strip li").count() == 2
