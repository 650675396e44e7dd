"""Whatever Flickr answers to a method of lists is an outcome of the crawl, never a traceback."""

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from pipeline.sources.flickr.api import FlickrApi
from pipeline.sources.flickr.host import Visit
from pipeline.sources.flickr.listing import Cursor, Page, find, list_page, next_cursor
from pipeline.sources.flickr.names import is_name
from pipeline.sources.flickr.outcome import Failure, Refusal
from pipeline.sources.flickr_users.collect import FIELDS
from tests.support import fake_lists
from tests.support.fake_flickr import KEY
from tests.support.flickr_users import streams
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
        ("groups", 10**4000, "http error"),
    ],
)
def test_each_method_has_its_own_final_codes(kind, code, status):
    error = outcome(list_page, {"stat": "fail", "code": code, "message": KEY}, kind, "1@N00", Cursor(), Visit())
    assert (error.status, isinstance(error, Failure)) == (status, status != "http error")
