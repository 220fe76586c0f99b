"""docs/architecture.md describes every package of the layers, and its picture shows them as they are now."""

import re
from pathlib import Path

import pytest

from deploy import rooms_picture
from tests.architecture.test_protocol_document import exists

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text()
PACKAGES = [name.removeprefix("orchestration/") for layer in rooms_picture.layers() for name, _ in layer]


def test_the_picture_is_drawn_from_the_layers_as_they_are_now() -> None:
    assert rooms_picture.PICTURE.read_text() == rooms_picture.picture(), "python -m deploy.rooms_picture"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_described(package: str) -> None:
    assert re.search(rf"^\| [^|]*`{package}`[^|]* \|", TEXT, re.MULTILINE)


def test_every_function_on_the_ways_exists() -> None:
    named = re.findall(r"`([\w/]+\.py::[\w.]+)`", TEXT)
    assert len(named) > 20
    assert [each for each in named if not exists(each)] == []


def test_every_package_opens_with_a_sentence() -> None:
    assert [name for layer in rooms_picture.layers() for name, sentence in layer if not sentence.endswith(".")] == []
