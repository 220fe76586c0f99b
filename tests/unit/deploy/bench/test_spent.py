"""Whose CPU time it was."""

from deploy.bench.cost import Reading, Spent, Stat, seconds_by_owner

ROOTS = {10: "driver", 20: "web"}
PROCESSES = [
    Stat(1, "init", 0, 0.5),
    Stat(10, "python", 1, 1.0),
    Stat(20, "gunicorn", 10, 2.0),
    Stat(21, "gunicorn", 20, 4.0),
    Stat(30, "postgres", 1, 8.0),
    Stat(31, "postgres", 30, 16.0),
    Stat(40, "postgres", 1, 32.0),
]


def test_a_process_belongs_to_the_nearest_root_above_it() -> None:
    seconds = seconds_by_owner(PROCESSES, ROOTS)
    assert seconds["driver", 10] == 1.0
    assert seconds["web", 20] == 6.0
    assert seconds["others", 0] == 0.5


def test_a_server_is_known_by_its_name_and_distinguished_from_another_of_its_kind() -> None:
    seconds = seconds_by_owner(PROCESSES, ROOTS)
    assert (seconds["PostgreSQL", 30], seconds["PostgreSQL", 40]) == (24.0, 32.0)


def test_what_was_spent_is_the_difference_of_two_readings() -> None:
    before = Reading({("workers", 1): 1.0, ("workers", 2): 5.0}, 10)
    after = Reading({("workers", 1): 3.5, ("workers", 2): 6.0, ("web", 3): 1.0}, 25)
    assert after - before == Spent({"workers": 3.5, "web": 1.0}, 15)


def test_a_server_that_ended_in_between_takes_nothing_away() -> None:
    before = Reading({("PostgreSQL", 30): 8.0, ("PostgreSQL", 40): 99.0}, 0)
    assert (Reading({("PostgreSQL", 30): 9.0}, 0) - before).cpu == {"PostgreSQL": 1.0}


def test_without_proc_nothing_is_known() -> None:
    assert (Reading({("web", 3): 1.0}, 2) - Reading(None, 1)) == Spent(None, 1)
