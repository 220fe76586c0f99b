"""The programs of the supervisor: complete, and written so that supervisord understands them."""

import configparser
import shlex
from pathlib import Path

from deploy import supervisor
from orchestration.messaging.topology import Topology


def test_every_queue_that_workers_consume_has_exactly_one_role() -> None:
    consumed = [queue for queues in supervisor.ROLES.values() for queue in queues]
    assert sorted(consumed) == sorted(queue.name for queue in Topology(prefix="", queue_type="classic").queues)


def test_workers_consume_the_queues_of_their_prefix() -> None:
    command = supervisor.worker("compensations", queue_prefix="demo-", threads=3).command
    assert command[command.index("-Q") + 1].startswith("demo-inventory.compensations,demo-payments.compensations,")
    assert command[command.index("-c") + 1] == "3"


def test_the_configuration_survives_blanks_and_percent_signs_in_paths() -> None:
    directory = Path("/tmp/100% of it")
    programs = supervisor.programs(queue_prefix="", threads=2, run_directory=directory)
    written = supervisor.configuration(programs, run_directory=directory)
    read = configparser.ConfigParser()
    read.read_string(written)
    for program in programs:
        section = read[f"program:{program.name}"]
        assert tuple(shlex.split(section["command"])) == program.command
        assert section["stdout_logfile"] == f"{directory}/{program.name}.log"
        assert section["autorestart"] == "true"


def test_flower_runs_as_the_shop_has_it() -> None:
    programs = supervisor.programs(queue_prefix="", threads=2, run_directory=Path("/tmp"))
    flower = next(program for program in programs if program.name == "flower")
    assert "--conf=deploy/flower/config.py" in flower.command
    assert (supervisor.PROJECT / supervisor.FLOWER_CONFIG).is_file()
