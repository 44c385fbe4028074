"""Every query that the documentation shows gives the result that stands below it."""

from __future__ import annotations

import pytest

from tests.support.doc_examples import answer, examples, pages

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("starter")]

EXAMPLES = [example for page in pages() for example in examples(page)]


@pytest.mark.parametrize("example", [pytest.param(e, id=e.place) for e in EXAMPLES])
def test_the_result_is_what_the_starter_gives(release, example):
    assert answer(release, example.sql).splitlines() == example.result.splitlines()
