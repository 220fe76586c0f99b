"""How counts are written for people."""

import pytest

from orchestration.text import formatting


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 sagas"), (1, "1 saga"), (2, "2 sagas"), (21, "21 sagas"), (101, "101 sagas")]
)
def test_one_is_written_in_the_singular(number: int, said: str) -> None:
    assert formatting.count(number, "saga") == said


def test_a_plural_of_its_own_is_used() -> None:
    assert [formatting.count(number, "batch", "batches") for number in (1, 2)] == ["1 batch", "2 batches"]
