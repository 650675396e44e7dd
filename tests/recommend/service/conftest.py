"""The page in a real browser, for the tests of the page."""

import pytest

from tests.support.browser import running_browser
from tests.support.fake_recommender import FakeRecommender
from tests.support.page import HOSTILE, SCREENS
from tests.support.service import running_service


@pytest.fixture(scope="module")
def browser():
    with running_browser() as browser:
        yield browser


@pytest.fixture
def client(tmp_path):
    recommender = FakeRecommender(
        habits={"ann": {"red": 5}, "bob": {"blue": 4}, "mallory": {HOSTILE: 40}}, labels=["seeded weights"]
    )
    with running_service(recommender, tmp_path) as client:
        yield client


@pytest.fixture
def visit(browser, client, request):
    """Opens the page, and fails at the end if it complained or asked for anything elsewhere.

    page.expected: parts of complaints that the test provokes.
    """
    width, scheme = getattr(request, "param", SCREENS[0])
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    wrong: list[str] = []
    page.expected = []
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith((client.url, f"blob:{client.url}")) else wrong.append(request.url)
        ),
    )
    page.goto(client.url)
    page.wait_for_load_state("networkidle")
    yield page
    assert [each for each in wrong if not any(known in each for known in page.expected)] == []
    context.close()
