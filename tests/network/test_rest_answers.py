"""What a server answers in words, also one that means no good: read at once, as the window stands still meanwhile."""

from __future__ import annotations

import time

import pytest

from abq_data_entry.network.rest_answers import is_login_page, reason

HOSTILE = {
    "heads": "<head" * 13000, "titles": "<title>" * 9300, "tags": "<" * 65000, "comments": "<!--" * 16000,
    "all": "<p>" + "<head <style <script <!--" * 2600, "ends": "<head>" * 5000 + "</head " * 5000,
}  # fmt: skip


def test_a_page_in_words() -> None:
    page = (
        "<HTML><head><title>Bad &amp; worse</title><style>p {}</style ></HEAD><!-- c > d --><body><p>No way</p>"
        "<script>if (a < b) {}</script>4 < 5"
    )
    assert reason(page) == "Bad & worse: No way 4 < 5"
    assert reason("<html><head><p>No end<script>x") == "No end x"
    assert reason("<title>Only this</title>") == "Only this"
    assert reason(f"<p>Why: &#{'9' * 5000};</p>") == "Why: \N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("page", HOSTILE.values(), ids=HOSTILE)
def test_no_page_takes_long(page: str) -> None:
    begin = time.thread_time()
    reason(page)
    assert time.thread_time() - begin < 0.5  # seconds of the processor: it took 1 to 5


def test_whether_a_large_page_is_a_login_is_known_at_once() -> None:
    begin = time.thread_time()
    assert not is_login_page(b"<input " * 580000)
    assert time.thread_time() - begin < 0.9
    assert is_login_page(b"<input name='p' type='password'>") and is_login_page(b"<form>")
