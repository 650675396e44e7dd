"""The page when an answer is lost or a photo fails: nothing is lost, and nothing is called saved that is not."""

import json

import pytest

from pipeline.recommend.service.journal import Journal
from tests.support.page import PHOTOS, add, enter_user, saved, tags_of, take, wait_for
from tests.support.service import wait_until


def status_of(page) -> str:
    return page.inner_text("#status").replace("\u2068", "").replace("\u2069", "")


def keeps_leaving(page) -> bool:
    """Says whether the page asks before it is left."""
    return page.evaluate("!dispatchEvent(new Event('beforeunload', {cancelable: true}))")


@pytest.fixture
def lossy(visit, client):
    """A page on which the answer to the first post is lost: the post is in the journal."""
    enter_user(visit, "ann")
    add(visit, ["a.jpg"])
    lost = []

    def lose(route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.fetch())
            route.fulfill(status=502, body="Bad Gateway")

    visit.route("**/api/posts", lose)
    visit.expected.append("502")
    take(visit, "sea")
    visit.click("#next")
    visit.wait_for_selector("#status >> text=Perhaps not saved, save again: The service answered 502.")
    assert saved(client) == {"a.jpg": ("sea",)}
    return visit


def test_a_post_whose_answer_was_lost_can_be_taken_back(lossy, client):
    lossy.wait_for_selector("#taken >> text=Perhaps saved: save again")
    assert keeps_leaving(lossy)
    lossy.click("#taken .x")
    wait_until(lambda: tags_of(lossy, "taken") == [])
    assert keeps_leaving(lossy)
    enter_user(lossy, "bob")
    lossy.click("#next")
    wait_until(lambda: status_of(lossy).startswith("Saved"))
    assert saved(client) == {}
    assert not keeps_leaving(lossy)
    take(lossy, "hill")
    lossy.click("#next")
    lossy.wait_for_selector("#taken .saved")
    assert saved(client) == {}
    assert saved(client, "bob") == {"a.jpg": ("hill",)}


def test_a_post_whose_answer_was_lost_is_sent_again_once(lossy, client):
    lossy.click("[data-view=grid]")
    assert lossy.inner_text("#save-all") == "Save 1 photo"
    assert lossy.text_content(".card .whose") == "Perhaps saved"
    lossy.click("#save-all")
    lossy.wait_for_selector("#save-all >> text=All saved")
    with Journal.open(client.journal) as journal:
        assert len(list(journal.posts("ann"))) == 1
    assert not keeps_leaving(lossy)


@pytest.mark.parametrize("code", [422, 507])
def test_a_refused_post_leaves_the_photo_to_the_next_user(visit, client, code):
    enter_user(visit, "ann")
    add(visit, ["b.png"])
    visit.expected.append(str(code))
    refused = []

    def refuse(route) -> None:
        if refused:
            route.continue_()
        else:
            refused.append(json.loads(route.request.post_data)["user"])
            route.fulfill(status=code, json={"error": "It is refused."})

    visit.route("**/api/posts", refuse)
    take(visit, "sea")
    visit.click("#next")
    visit.wait_for_selector("#status >> text=/^Not saved: It is refused./")
    enter_user(visit, "bob")
    wait_for(visit, "document.querySelector('#why').textContent.includes('you used it 4 times')")
    visit.click("#next")
    visit.wait_for_selector("#taken .saved")
    assert refused == ["ann"]
    assert saved(client, "ann") == {}
    assert saved(client, "bob") == {"b.png": ("sea",)}


def test_tags_removed_while_they_are_saved_are_not_forgotten(visit):
    enter_user(visit, "ann")
    add(visit, ["a.jpg"])
    held = []
    visit.route("**/api/posts", lambda route: held.append(route))
    take(visit, "sea")
    visit.click("#next")
    wait_until(lambda: visit.wait_for_timeout(50) or held)
    visit.click("#taken .x")
    wait_until(lambda: tags_of(visit, "taken") == [])
    assert keeps_leaving(visit)
    held[0].continue_()


def failing(visit, count: int) -> list:
    """Adds a photo with a tag, and answers the first requests for suggestions with 500; lists those."""
    held, failed = [], []

    def fail(route) -> None:
        if len(failed) == count:
            route.continue_()
            return
        failed.append(route)
        if len(failed) == 1:
            held.append(route)
        else:
            route.fulfill(status=500, body="")

    visit.route("**/api/suggest", fail)
    visit.expected.append("500")
    enter_user(visit, "ann")
    file = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": PHOTOS["a.jpg"]}
    visit.set_input_files("#photos-input", [file])
    wait_until(lambda: visit.wait_for_timeout(50) or held)
    take(visit, "sea")
    held[0].fulfill(status=500, body="")
    visit.wait_for_selector("#suggested-state >> text=The service answered 500.")
    return failed


def test_tags_on_a_photo_that_the_service_failed_to_see_are_saved_later(visit, client):
    failed = failing(visit, 2)
    assert keeps_leaving(visit)
    visit.click("#next")
    visit.wait_for_selector("#status >> text=Not saved: The service answered 500.")
    assert len(failed) == 2
    visit.click("[data-view=grid]")
    assert visit.inner_text("#save-all") == "Save 1 photo"
    visit.click("#save-all")
    visit.wait_for_selector("#save-all >> text=All saved")
    assert saved(client) == {"a.jpg": ("sea",)}


@pytest.mark.parametrize("view", ["one", "grid"])
def test_a_photo_that_the_service_failed_to_see_is_looked_at_again(visit, view):
    failing(visit, 1)
    visit.click(f"[data-view={view}]")
    visit.click("#look-again" if view == "one" else "#look-all-again >> text=Look again at 1 photo")
    wait_until(lambda: visit.locator("#look-again, #look-all-again").locator("visible=true").count() == 0)
    visit.click("[data-view=one]")
    visit.wait_for_selector("#suggested .chip")
    assert tags_of(visit, "taken") == ["sea"]


def test_tags_on_a_file_that_cannot_be_read_are_not_called_saved(visit):
    enter_user(visit, "ann")
    held = []
    visit.route("**/api/suggest", lambda route: held.append(route))
    names = ["a.jpg", "b.jpg"]
    files = [{"name": name, "mimeType": "image/jpeg", "buffer": name.encode()} for name in names]
    visit.set_input_files("#photos-input", files)
    wait_until(lambda: visit.wait_for_timeout(50) or len(held) == 2)
    take(visit, "sea")
    for route in held:
        route.continue_()
    visit.wait_for_selector("#suggested-state >> text=not an image")
    assert keeps_leaving(visit)
    visit.click("#next")
    wait_until(lambda: status_of(visit).startswith("Not saved: a.jpg: not an image"))
    visit.click("[data-view=grid]")
    assert visit.inner_text("#save-all") == "1 cannot be saved"
    assert visit.text_content(".card:nth-child(1) .whose").startswith("Cannot be saved: not an image")
    visit.check("#all")
    visit.fill("#for-all-tag", "hill")
    visit.keyboard.press("Enter")
    wait_until(lambda: status_of(visit) == "Took hill on 0 photos; 2 others cannot be read.")
