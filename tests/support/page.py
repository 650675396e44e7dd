"""The page as its tests use it: photos to add, and what is on display."""

from typing import Any

from pipeline.recommend.service.journal import Journal
from tests.support.fake_recommender import photo_of
from tests.support.service import Client, wait_until

HOSTILE = '<img src=x onerror="document.title=1">'
PHOTOS = {
    "a.jpg": photo_of("red", (640, 480)),
    "b.png": photo_of("blue", (300, 500), "PNG"),
    "trip/c.jpg": photo_of("green", (500, 300)),
}
SCREENS = [(1280, "light"), (390, "light"), (1280, "dark"), (390, "dark")]


def add(page: Any, names=tuple(PHOTOS)) -> None:
    files = [{"name": name.rpartition("/")[2], "mimeType": "image/jpeg", "buffer": PHOTOS[name]} for name in names]
    page.set_input_files("#photos-input", files)
    page.wait_for_selector("#suggested .chip, .card.ready")


def enter_user(page: Any, user: str) -> None:
    page.fill("#user", user)
    page.keyboard.press("Enter")


def take(page: Any, text: str) -> None:
    page.fill("#own-tag", text)
    page.press("#own-tag", "Enter")


def take_on_all(page: Any, text: str) -> None:
    """Takes tags on all photos, in the grid."""
    page.click("[data-view=grid]")
    page.check("#all")
    page.fill("#for-all-tag", text)
    page.press("#for-all-tag", "Enter")


def save_one(page: Any, text: str) -> None:
    """Takes tags on the photo in view, and saves them."""
    page.wait_for_selector("#suggested .chip")
    take(page, text)
    page.click("#next")
    page.wait_for_selector("#taken .saved")


def hold_first(page: Any, address: str) -> list[Any]:
    """Holds the first request to an address, which is in the returned list when it comes; later ones pass."""
    held: list[Any] = []
    page.route(address, lambda route: route.continue_() if held else held.append(route))
    return held


def wait_for(page: Any, expression: str) -> None:
    """Waits for an expression to be true. Playwright's own way is eval in the page, which it forbids."""
    wait_until(lambda: page.evaluate(expression))


def tags_of(page: Any, kind: str) -> list[str]:
    return page.locator(f"#{kind} .chip bdi").all_text_contents()


def saved(client: Client, user: str = "ann") -> dict[str, tuple[str, ...]]:
    with Journal.open(client.journal) as journal:
        return {post.name: post.tags for post in journal.posts(user)}
