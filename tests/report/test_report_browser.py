"""The page in a real browser: quiet console, every picture, nothing wider than the screen."""

import pytest

from pipeline.report.page import write_report
from tests.support.browser import running_browser, violations


@pytest.fixture(scope="module")
def browser():
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(inputs, config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser") / "report"
    write_report(inputs, config, folder)
    return (folder / "index.html").as_uri()


@pytest.fixture(scope="module", params=[(1280, "light"), (390, "light"), (1280, "dark"), (390, "dark")], ids=str)
def opened(browser, address, request):
    """The page at a width and in a colour scheme, all details open, and what went wrong while it loaded."""
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
    page.on(
        "request", lambda request: None if request.url.startswith(("file:", "data:")) else wrong.append(request.url)
    )
    page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.goto(address)
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    page.wait_for_load_state("networkidle")
    yield page, scheme, wrong
    context.close()


def test_loads_without_complaint(opened):
    page, _, wrong = opened
    assert page.title() == "Tags for photos: the embedded sample"
    assert wrong == []


def test_seconds_of_the_stages_are_shown(opened):
    page, _, _ = opened
    rows = page.evaluate("[...document.querySelectorAll('#seconds tr')].map(row => row.innerText.split(/\\s+/))")
    assert rows == [["crawl", "12.3"], ["refine", "0.4"], ["train@fm-ic-od", "5.3"], ["together", "18.0"]]


def test_every_picture_is_there(opened):
    page, scheme, _ = opened
    pictures = page.evaluate("[...document.images].map(image => [image.currentSrc, image.naturalWidth])")
    assert len(pictures) == 12 + 4
    assert [name for name, width in pictures if width == 0] == []
    figures = [name for name, _ in pictures if name.endswith(".svg")]
    assert len(figures) == 12
    assert all(name.endswith(f"-{scheme}.svg") for name in figures)


def test_nothing_is_wider_than_the_screen(opened):
    page, _, _ = opened
    width, screen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width == screen


def test_no_mark_is_wider_than_its_place(opened):
    """`(≈)` would be printed over the interval that follows."""
    page, _, _ = opened
    wide = page.evaluate(
        """[...document.querySelectorAll('.mark')].filter(mark => {
            mark.firstChild.data = '(≈)';
            return mark.scrollWidth > mark.clientWidth;
        }).length"""
    )
    assert page.evaluate("document.querySelectorAll('.mark').length") > 0
    assert wide == 0


def test_photos_keep_their_shape(opened):
    page, _, _ = opened
    shapes = page.evaluate(
        "[...document.querySelectorAll('.post img')].map(i => [i.width / i.height, i.naturalWidth / i.naturalHeight])"
    )
    assert len(shapes) == 4
    assert all(shown == pytest.approx(true, rel=0.02) for shown, true in shapes)


def test_all_is_printed_though_nothing_was_opened(browser, address):
    page = browser.new_page(viewport={"width": 1280, "height": 844})
    page.goto(address)
    height = "document.querySelector('#run pre').checkVisibility() && document.documentElement.scrollHeight"
    assert page.evaluate(height) is False
    page.emulate_media(media="print")
    assert page.evaluate(height) > 7000
    assert page.locator("summary").first.is_hidden()
    page.close()


def test_axe_finds_nothing(browser, address):
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
    page.goto(address)
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    assert violations(page) == []
    page.close()
