"""The page when the user changes, and while posts are saved: each photo counts for one user, once."""

import json

from pipeline.data.photo import PhotoFile
from pipeline.recommend.service.journal import Journal
from tests.support.fake_recommender import photo_of
from tests.support.page import add, enter_user, hold_first, saved, tags_of, take, take_on_all, wait_for
from tests.support.service import wait_until


def test_a_saved_photo_stays_with_its_user_and_an_unsaved_one_gets_the_next_ones(visit, client):
    enter_user(visit, "maria")
    add(visit, ["a.jpg", "b.png"])
    take(visit, "beach")
    visit.click("#next")
    visit.wait_for_selector("#photo-name >> text=b.png")
    take(visit, "hill")
    enter_user(visit, "bob")
    wait_for(visit, "document.querySelector('#why').textContent.includes('you used it 4 times')")
    assert tags_of(visit, "taken") == ["hill"]
    visit.click("[data-view=grid]")
    assert visit.inner_text("#save-all") == "Save 1 photo"
    assert visit.text_content(".card:nth-child(1) .whose") == "Saved for maria"
    visit.click("#save-all")
    visit.wait_for_selector("#save-all >> text=All saved")
    assert saved(client, "maria") == {"a.jpg": ("beach",)}
    assert saved(client, "bob") == {"b.png": ("hill",)}
    visit.click("#export summary")
    with visit.expect_download() as download:
        visit.click("[data-export=csv]")
    assert "maria" not in download.value.path().read_text()
    visit.wait_for_selector("#status >> text=1 other not saved for")


def test_changes_of_a_saved_photo_are_its_users(visit, client):
    enter_user(visit, "maria")
    add(visit, ["a.jpg"])
    take(visit, "beach")
    visit.click("#next")
    visit.wait_for_selector("#taken .saved")
    enter_user(visit, "bob")
    visit.wait_for_selector("#taken .saved >> text=Saved for maria")
    take(visit, "sea")
    visit.wait_for_selector("#taken .quiet >> text=Will be saved for maria")
    visit.click("#next")
    visit.wait_for_selector("#taken .saved >> text=Saved for maria")
    assert saved(client, "maria") == {"a.jpg": ("beach", "sea")}
    assert saved(client, "bob") == {}
    for _ in range(2):
        visit.click("#taken .x >> nth=0")
    visit.click("#next")
    visit.wait_for_selector("#taken >> text=for maria", state="detached")
    take(visit, "mine")
    visit.click("#next")
    visit.wait_for_selector("#taken .saved")
    assert saved(client, "maria") == {}
    assert saved(client, "bob") == {"a.jpg": ("mine",)}


def test_a_photo_is_saved_once_it_was_seen(visit, client):
    """What is taken while the networks still look is not lost."""
    enter_user(visit, "ann")
    held = hold_first(visit, "**/api/suggest")
    visit.set_input_files("#photos-input", [{"name": "a.jpg", "mimeType": "image/jpeg", "buffer": photo_of("red")}])
    wait_until(lambda: visit.inner_text("#photo-name") == "a.jpg" and (visit.wait_for_timeout(50) or held))
    take(visit, "early")
    visit.click("#next")
    visit.wait_for_timeout(200)
    assert "Saved" not in visit.inner_text("#status")
    held[0].continue_()
    visit.wait_for_selector("#taken .saved")
    assert saved(client) == {"a.jpg": ("early",)}


def test_a_photo_that_was_seen_for_an_earlier_user_gets_the_next_ones_suggestions(visit):
    enter_user(visit, "ann")
    held = hold_first(visit, "**/api/suggest")
    visit.set_input_files("#photos-input", [{"name": "b.png", "mimeType": "image/png", "buffer": photo_of("blue")}])
    wait_until(lambda: visit.wait_for_timeout(50) or held)
    enter_user(visit, "bob")
    held[0].continue_()
    wait_for(visit, "document.querySelector('#why').textContent.includes('you used it 4 times')")


def test_suggestions_of_an_earlier_user_are_not_shown_where_the_next_ones_fail(visit):
    enter_user(visit, "ann")
    add(visit, ["a.jpg"])
    visit.expected.append("500")
    visit.route("**/api/suggest", lambda route: route.fulfill(status=500, body=""))
    enter_user(visit, "bob")
    visit.wait_for_selector("#suggested-state >> text=The service answered 500.")
    assert tags_of(visit, "suggested") == []


def test_a_change_of_the_user_leaves_the_saves_under_way_alone(visit, client):
    enter_user(visit, "ann")
    add(visit)
    take_on_all(visit, "holiday")
    held = hold_first(visit, "**/api/posts")
    visit.click("#save-all")
    wait_until(lambda: visit.wait_for_timeout(50) or held)
    enter_user(visit, "bob")
    held[0].continue_()
    visit.wait_for_selector("#save-all >> text=All saved")
    assert len(saved(client)) == 3
    assert saved(client, "bob") == {}


def test_a_later_save_of_a_photo_counts_where_an_earlier_one_is_slow(visit, client):
    enter_user(visit, "ann")
    add(visit, ["a.jpg"])
    held = hold_first(visit, "**/api/posts")
    take(visit, "one")
    visit.click("#next")
    wait_until(lambda: visit.wait_for_timeout(50) or held)
    take(visit, "two")
    visit.click("#next")
    visit.wait_for_timeout(300)
    held[0].continue_()
    visit.wait_for_selector("#taken .saved")
    assert saved(client) == {"a.jpg": ("one", "two")}


def test_a_photo_that_is_refused_does_not_keep_the_others_from_being_saved(visit, client):
    enter_user(visit, "ann")
    add(visit)
    take_on_all(visit, "holiday")

    def refuse(route) -> None:
        if json.loads(route.request.post_data)["name"] == "a.jpg":
            route.fulfill(status=422, json={"error": "It is refused."})
        else:
            route.continue_()

    visit.route("**/api/posts", refuse)
    visit.click("#save-all")
    visit.wait_for_selector("#status >> text=Saved 2 of 3. Not saved: It is refused.")
    assert set(saved(client)) == {"b.png", "c.jpg"}
    visit.expected.append("422")


def test_three_hundred_photos_are_all_saved(visit, client):
    enter_user(visit, "ann")
    files = [
        PhotoFile(f"{number}.png", photo_of((number % 256, number // 256, 9), format="PNG")) for number in range(300)
    ]
    visit.set_input_files(
        "#photos-input", [{"name": file.name, "mimeType": "image/png", "buffer": file.data} for file in files]
    )
    visit.check("#all")
    visit.fill("#for-all-tag", "trip")
    visit.keyboard.press("Enter")
    visit.click("#save-all")
    wait_until(lambda: visit.inner_text("#save-all") == "All saved", 120)
    assert visit.inner_text("#status") == "Saved 300 photos."
    with Journal.open(client.journal) as journal:
        assert len(list(journal.posts("ann"))) == 300


def test_a_reload_in_the_middle_of_a_save_asks_first_and_nothing_is_saved_twice(visit, client):
    enter_user(visit, "ann")
    add(visit, ["a.jpg"])
    asked, held = [], []
    visit.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    visit.expected.append("failed: ")  # The browser ends the request; the page repeats it with the same id.
    visit.route("**/api/posts", lambda route: held.append(route) if not held else route.continue_())
    take(visit, "sea")
    visit.click("#next")
    wait_until(lambda: visit.wait_for_timeout(50) or held)
    visit.evaluate("location.reload()")
    wait_until(lambda: visit.wait_for_timeout(50) or asked)
    assert asked == ["beforeunload"]
    held[0].continue_()
    visit.wait_for_selector("#taken .saved")
    visit.reload()
    add(visit, ["a.jpg"])
    take(visit, "sea")
    visit.click("#next")
    visit.wait_for_selector("#taken .saved")
    assert asked == ["beforeunload"]
    assert saved(client) == {"a.jpg": ("sea",)}


def test_a_tab_keeps_its_own_user(visit):
    enter_user(visit, "ann")
    other = visit.context.new_page()
    other.goto(visit.url)
    wait_until(lambda: other.input_value("#user") == "ann")
    enter_user(other, "bob")
    visit.reload()
    wait_until(lambda: visit.input_value("#user") == "ann")
    other.reload()
    wait_until(lambda: other.input_value("#user") == "bob")
