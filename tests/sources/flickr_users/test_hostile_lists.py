"""Whatever Flickr answers to a method of lists is an outcome of the crawl, never a traceback."""

import asyncio
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from pipeline.errors import InputError
from pipeline.sources.flickr import listing
from pipeline.sources.flickr.api import FlickrApi
from pipeline.sources.flickr.host import Visit
from pipeline.sources.flickr.listing import Cursor, Page, find, list_page, next_cursor
from pipeline.sources.flickr.names import is_name
from pipeline.sources.flickr.outcome import Failure, Refusal, Stopped
from pipeline.sources.flickr_users.collect import FIELDS
from tests.support import fake_lists
from tests.support.fake_flickr import KEY, serving
from tests.support.flickr_users import crawl_users, streams
from tests.support.hostile import JSON, Answering, places, replaced

PHOTOS, LISTS = streams(3)
PAGE = fake_lists.answer(
    PHOTOS, LISTS, {"method": "flickr.people.getPhotos", "user_id": "1@N00", "per_page": "2", "page": "1"}
)
FOUND = {"user": {"id": "12@N00", "username": {"_content": "ann"}}, "group": {"id": "12@N00"}, "stat": "ok"}


def outcome(method, answer: object, *arguments):
    """Calls a method that this is the answer to. Returns what it gives, or the error that a crawl knows."""
    api = FlickrApi(Answering(json.dumps(answer).encode()), SecretStr(KEY))
    try:
        return asyncio.run(method(api, *arguments))
    except (Failure, Refusal) as error:
        assert len(str(error)) < 200
        assert KEY not in str(error)
        return error


def check_page(kind: str, answer: object) -> None:
    cursor = Cursor(page=2, until=1_300_000_001, total=9)
    page = outcome(list_page, answer, kind, "1@N00", cursor, Visit())
    if not isinstance(page, Page):
        return
    after = next_cursor(kind, cursor, page)
    assert after is None or after != cursor
    for photo in page.photos:
        assert 0 < int(photo.photo) < 2**63
        assert all(map(is_name, [photo.owner, *photo.words]))
        assert set(FIELDS) < set(photo.model_dump())
        for number in (photo.taken, photo.uploaded, photo.licence):
            assert number is None or abs(number) < 2**63


def test_the_answer_that_is_changed_below_is_good():
    page = outcome(list_page, PAGE, "people", "1@N00", Cursor(), Visit())
    assert [photo.photo for photo in page.photos] == ["3", "2"]
    assert page.photos[0].words == ["sea", "tag2"]
    assert outcome(find, FOUND, "people", "ann", Visit()) == "12@N00"


@settings(max_examples=200, deadline=None, derandomize=True)
@given(kind=st.sampled_from(["people", "groups"]), path=st.sampled_from(list(places(PAGE))), new=JSON)
def test_any_json_in_the_place_of_any_value_of_a_page_is_an_outcome(kind, path, new):
    check_page(kind, replaced(PAGE, path, new))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(["people", "groups"]),
    name=st.sampled_from(["ann", "Ann Example", "https://www.flickr.com/groups/sea/"]),
    path=st.sampled_from(list(places(FOUND))),
    new=JSON,
)
def test_any_json_in_the_place_of_any_value_of_an_id_is_an_outcome(kind, name, path, new):
    found = outcome(find, replaced(FOUND, path, new), kind, name, Visit())
    assert found == "12@N00" or isinstance(found, Exception)


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("people", 1, "user not found"),
        ("people", "5", "user deleted"),
        ("people", 3, "http error"),
        ("people", 105, "http error"),
        ("groups", 1, "group not found"),
        ("groups", 2, "private group"),
        ("groups", 10**4000, "unusable answer"),
    ],
)
def test_each_method_has_its_own_final_codes(kind, code, status):
    error = outcome(list_page, {"stat": "fail", "code": code, "message": KEY}, kind, "1@N00", Cursor(), Visit())
    assert (error.status, isinstance(error, Failure)) == (status, status not in ("http error", "unusable answer"))


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ([1], "no answer of the API"),
        ({"stat": "ok"}, "answer without a list of photos"),
        ({"stat": "ok", "photos": {"photo": "x", "pages": 1, "total": 1}}, "answer without a list of photos"),
        ({"stat": "ok", "photos": {"photo": [], "pages": 1, "total": "1e9"}}, "answer without the number of pages"),
    ],
)
@pytest.mark.parametrize("alone", [True, False])
def test_a_user_whose_answers_are_never_usable_ends_with_a_sentence_on_the_answer(tmp_path, odd, reason, alone):
    photos, lists = streams(2, 1)
    lists["1@N00"].odd = odd
    with serving(photos, lists) as fake:
        if alone:
            expected = f"(unusable answer: 1; for example 1@N00: {reason})"
            with pytest.raises(InputError, match=re.escape(expected)):
                crawl_users(tmp_path, fake, ["1@N00"], pictures=False, backoff=0.0001)
        else:
            crawled = crawl_users(tmp_path, fake, ["1@N00", "2@N00"], pictures=False, backoff=0.0001)
            assert crawled.posts["photo"].to_list() == ["3"]
            assert crawled.left_out.select("user", "reason", "detail").rows() == [
                ("1@N00", "unusable answer", f"1@N00: {reason}")
            ]
        lists["1@N00"].odd = None
        again = crawl_users(tmp_path, fake, ["1@N00"], pictures=False, retry=["unusable answer"])
        assert again.posts["photo"].to_list() == ["1", "2"]


def test_an_api_that_answers_nothing_usable_to_many_is_to_blame_itself(tmp_path):
    photos, lists = streams(*[1] * 6)
    for known in lists.values():
        known.odd = {}
    with (
        serving(photos, lists) as fake,
        pytest.raises(Stopped, match=r"no usable answer \(last: no answer of the API\)"),
    ):
        crawl_users(tmp_path, fake, list(lists), pictures=False, backoff=0.0001)


def test_every_photo_of_a_list_is_a_post_or_counted_as_unusable(tmp_path, monkeypatch):
    """An id that two photos share, and a page without a single usable photo, which is not the last."""
    monkeypatch.setattr(listing, "PER_PAGE", 4)
    photos, lists = streams(14)
    photos[13].listed = {"id": "12"}
    for photo in range(4, 11):
        photos[photo].listed = {"owner": ""}
    with serving(photos, lists) as fake:
        crawled = crawl_users(tmp_path, fake, ["1@N00"], pictures=False)
    assert crawled.posts["photo"].to_list() == ["1", "11", "12", "14", "2", "3"]
    (row,) = crawled.left_out.select("user", "reason", "detail").rows()
    assert row == ("1@N00", "unusable answer", "1@N00: 8 photos")
