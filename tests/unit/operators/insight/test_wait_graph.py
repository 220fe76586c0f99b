"""The graph of waiting sagas shows each saga once, each wait as an arrow, and deadlocks in red."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from xml.etree import ElementTree

import pytest

from orchestration.models import SagaInstance
from orchestration.operators.insight.wait_graph import WaitGraph, graph_of
from orchestration.operators.insight.wait_graph_svg import HEIGHT, WIDTH, wait_graph_svg

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
A, B, C, D, E = (UUID(int=number) for number in range(1, 6))
SVG = "{http://www.w3.org/2000/svg}"
RED = "#d64545"


def saga(saga_id: UUID, waits_for: UUID | None = None, **columns: object) -> SagaInstance:
    wait = (
        {
            "waits_on": f"wallet:{saga_id.int}",
            "waits_since": NOW - timedelta(seconds=4),
            "progress": {"waits": "take_second"},
        }
        if waits_for
        else {}
    )
    row = {
        "id": saga_id,
        "definition": "transfer.v1",
        "phase": "running",
        "waits_for": waits_for,
        "waits": bool(waits_for),
    }
    return SagaInstance(**{**row, **wait, **columns})  # type: ignore[arg-type]


def drawn(graph: WaitGraph) -> ElementTree.Element:
    return ElementTree.fromstring(wait_graph_svg(graph, NOW))


def boxes(picture: ElementTree.Element) -> dict[str, ElementTree.Element]:
    return {group.attrib["data-saga"]: group for group in picture.iter(f"{SVG}g") if "data-saga" in group.attrib}


def arrows(picture: ElementTree.Element) -> list[str]:
    """The colours of all arrows."""
    return [path.attrib["stroke"] for path in picture.iter(f"{SVG}path") if "marker-end" in path.attrib]


def words(picture: ElementTree.Element) -> str:
    return " ".join(picture.itertext())


def test_each_saga_is_a_box_and_each_wait_an_arrow_with_its_resource() -> None:
    picture = drawn(graph_of([saga(A), saga(B, A), saga(C, A), saga(D, C)]))

    assert boxes(picture).keys() == {str(each) for each in (A, B, C, D)}
    assert len(arrows(picture)) == 3
    assert RED not in arrows(picture)
    assert all(f"wallet:{number}" in words(picture) for number in (2, 3, 4))


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_deadlock_is_red_and_the_saga_that_waits_for_it_is_not(size: int) -> None:
    loop = [UUID(int=number) for number in range(1, size + 1)]
    waits = [saga(each, loop[(number + 1) % size]) for number, each in enumerate(loop)]
    tail = UUID(int=99)
    picture = drawn(graph_of([*waits, saga(tail, loop[0])]))

    assert sorted(arrows(picture)) == sorted([RED] * size + ["#8a8f98"])
    looks = {saga_id: box.attrib["class"] for saga_id, box in boxes(picture).items()}
    assert looks == {**{str(each): "saga loop" for each in loop}, str(tail): "saga"}


def test_a_victim_is_marked_while_it_is_compensated() -> None:
    victim = saga(A, phase="compensating", failure={"code": "deadlock"})
    picture = drawn(graph_of([victim, saga(B, A)]))

    [rect] = boxes(picture)[str(A)].findall(f"{SVG}rect")
    assert "stroke-dasharray" in rect.attrib
    assert f"Saga {A} (transfer.v1) is given up to end a deadlock" in words(picture)


def test_a_victim_that_has_ended_is_none_any_more() -> None:
    [ended] = graph_of([saga(A, phase="compensated", failure={"code": "deadlock"})]).sagas
    assert not ended.is_victim


def test_boxes_do_not_overlap() -> None:
    picture = drawn(
        graph_of([saga(A, B), saga(B, A), saga(C, A), saga(D, A), saga(E, C), saga(UUID(int=6), UUID(int=9))])
    )

    places = sorted(
        (float(rect.attrib["x"]), float(rect.attrib["y"]))
        for box in boxes(picture).values()
        for rect in box.findall(f"{SVG}rect")
    )
    assert len(places) == 6
    for number, (x, y) in enumerate(places):
        for other_x, other_y in places[number + 1 :]:
            assert abs(other_x - x) >= WIDTH or abs(other_y - y) >= HEIGHT


def test_the_description_says_the_same_in_words() -> None:
    picture = drawn(graph_of([saga(A, B), saga(B, A)]))
    said = picture.findtext(f"{SVG}desc")

    assert picture.findtext(f"{SVG}title") == "Sagas that wait for locks: 2 sagas, 1 deadlock"
    assert said is not None
    assert f"Saga {A} (transfer.v1) has waited 4 s for wallet:1, held by saga {B}, in a deadlock." in said


def test_an_empty_graph_says_so() -> None:
    assert drawn(graph_of([])).findtext(f"{SVG}desc") == "No saga waits."


def test_a_long_resource_is_shortened_and_its_title_has_all() -> None:
    resource = "wallet:" + "0" * 190
    picture = drawn(graph_of([saga(A), saga(B, A, waits_on=resource)]))

    drawn_texts = [line.text or "" for line in picture.iter(f"{SVG}text")]
    assert resource not in drawn_texts
    assert resource in [title.text for title in picture.iter(f"{SVG}title")]
