"""The workers that tests start."""


def test_no_other_worker_takes_what_is_placed_before_private_ones_are_started(shared_worker, start_worker):
    assert not shared_worker.is_alive()
