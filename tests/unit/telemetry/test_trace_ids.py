"""Ids of traces: found by the saga's id, the same in every process, sampled evenly."""

from uuid import UUID

from uuid_utils.compat import uuid7

from orchestration.telemetry.trace_ids import dispatch_id, is_traced, trace_id_of, whole_id

SAGA = UUID("01932f3a-7c1e-7000-8000-00000000002a")


def test_a_trace_is_found_by_the_id_of_its_saga() -> None:
    assert f"{trace_id_of(SAGA):032x}" == SAGA.hex


def test_spans_of_a_saga_have_ids_of_their_own_that_never_change() -> None:
    ids = [whole_id(SAGA), *(dispatch_id(SAGA, token) for token in range(1, 100))]
    assert len(set(ids)) == 100
    assert all(0 < each < 1 << 64 for each in ids)
    assert whole_id(SAGA) == 0xCFF12042FF4EB302


def test_as_many_sagas_are_traced_as_asked_for() -> None:
    sagas = [uuid7() for _ in range(4000)]
    assert all(is_traced(each, 1.0) for each in sagas)
    assert not any(is_traced(each, 0.0) for each in sagas)
    assert 800 < sum(is_traced(each, 0.25) for each in sagas) < 1200
