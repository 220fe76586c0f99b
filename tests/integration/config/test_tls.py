"""TLS against real servers: whose chain and name are not right is refused; who must show a certificate shows it."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from kombu import Connection
from redis.exceptions import RedisError

from config import env, tls
from config.settings import databases
from deploy.servers import PrivatePostgres, PrivateRabbit, PrivateRedis
from deploy.servers.ports import free_port
from deploy.servers.postgres import unprivileged_account
from orchestration.participant.breaker_redis import connect
from tests.support.certificates import Authority, Signed
from tests.support.processes import ROOT

pytestmark = pytest.mark.servers


@dataclass(frozen=True)
class Trust:
    """Two authorities, one of which signed the server's certificate, for `localhost` only, and the client's."""

    ours: Authority
    other: Authority
    server: Signed
    client: Signed


@pytest.fixture(scope="module")
def trust() -> Iterator[Trust]:
    directory = Path(tempfile.mkdtemp(prefix="certificates-"))
    directory.chmod(0o755)  # PostgreSQL runs by an account of its own
    ours, other = Authority(directory, "ours"), Authority(directory, "other")
    yield Trust(ours, other, ours.sign("server", "localhost"), ours.sign("client"))
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def postgres(trust: Trust) -> Iterator[PrivatePostgres]:
    if account := unprivileged_account():
        os.chown(trust.server.key, account.pw_uid, account.pw_gid)
    files = {"ssl_cert_file": trust.server.certificate, "ssl_key_file": trust.server.key, "ssl_ca_file": trust.ours.ca}
    settings = {"ssl": "on", "fsync": "off", **{name: str(path) for name, path in files.items()}}
    with PrivatePostgres(settings=settings) as server:
        yield server


@pytest.fixture(scope="module")
def redis_port(trust: Trust) -> Iterator[int]:
    port = free_port()
    files = {
        "tls-cert-file": trust.server.certificate,
        "tls-key-file": trust.server.key,
        "tls-ca-cert-file": trust.ours.ca,
    }
    settings = {"tls-port": str(port), "tls-auth-clients": "optional", **{k: str(v) for k, v in files.items()}}
    with PrivateRedis(settings=settings):
        yield port


@pytest.fixture(scope="module")
def rabbit_port(trust: Trust) -> Iterator[int]:
    port = free_port()
    settings = {
        "listeners.ssl.default": f"127.0.0.1:{port}",
        "ssl_options.cacertfile": str(trust.ours.ca),
        "ssl_options.certfile": str(trust.server.certificate),
        "ssl_options.keyfile": str(trust.server.key),
        "ssl_options.verify": "verify_peer",
        "ssl_options.fail_if_no_peer_cert": "true",
    }
    with PrivateRabbit(settings=settings):
        yield port


class Shop:
    """The settings of a shop that has these variables."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **variables: object) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(f"SHOP_{name}", str(value))
        self.values = env.read()
        for name in variables:
            monkeypatch.delenv(f"SHOP_{name}")

    def reaches_postgres(self, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, int | None]:
        """Say whether the session is encrypted, and the serial number of the certificate that the server was shown."""
        monkeypatch.setattr(databases, "VALUES", self.values)
        given = databases._database("payments")
        options = {name: value for name, value in given["OPTIONS"].items() if name.startswith("ssl")}
        place: dict[str, Any] = {name: given[name.upper()] for name in ("host", "port", "user")}
        with psycopg.connect(**place, **options, dbname="postgres") as connection:
            found = connection.execute("SELECT ssl, client_serial FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            return found.fetchone()  # type: ignore[return-value]

    def reaches_redis(self) -> bool:
        with connect(tls.redis_url(tls.tls_of(self.values, "REDIS"), self.values["REDIS_URL"])) as redis:
            return bool(redis.ping())

    def reaches_rabbit(self) -> bool:
        url = self.values["BROKER_URL"]
        with Connection(
            url, ssl=tls.of_broker(tls.tls_of(self.values, "BROKER"), url), connect_timeout=5
        ) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=5)
            return bool(connection.connected)


def test_a_database_is_verified_as_soon_as_there_is_a_ca(monkeypatch, trust: Trust, postgres: PrivatePostgres):
    at = {host: f"postgres://postgres@{host}:{postgres.port}" for host in ("localhost", "127.0.0.1")}
    shop = Shop(monkeypatch, POSTGRES_URL=at["localhost"], DATABASE_TLS_CA=trust.ours.ca)
    assert shop.reaches_postgres(monkeypatch) == (True, None)
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        Shop(monkeypatch, POSTGRES_URL=at["localhost"], DATABASE_TLS_CA=trust.other.ca).reaches_postgres(monkeypatch)
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        Shop(monkeypatch, POSTGRES_URL=at["127.0.0.1"], DATABASE_TLS_CA=trust.ours.ca).reaches_postgres(monkeypatch)
    with pytest.raises(psycopg.OperationalError, match="certificate"):  # the machine's CAs did not sign it
        Shop(monkeypatch, POSTGRES_URL=at["localhost"], DATABASE_TLS_VERIFY="true").reaches_postgres(monkeypatch)
    unverified = Shop(monkeypatch, POSTGRES_URL=at["127.0.0.1"], DATABASE_TLS_VERIFY="false")
    assert unverified.reaches_postgres(monkeypatch) == (True, None)


def test_a_database_is_shown_the_certificate(monkeypatch, trust: Trust, postgres: PrivatePostgres):
    shop = Shop(
        monkeypatch,
        POSTGRES_URL=f"postgres://postgres@localhost:{postgres.port}",
        DATABASE_TLS_CA=trust.ours.ca,
        DATABASE_TLS_CERTIFICATE=trust.client.certificate,
        DATABASE_TLS_KEY=trust.client.key,
    )
    encrypted, serial = shop.reaches_postgres(monkeypatch)
    assert encrypted
    assert serial is not None


def test_redis_is_verified(monkeypatch, trust: Trust, redis_port: int):
    at = {host: f"rediss://{host}:{redis_port}/0" for host in ("localhost", "127.0.0.1")}
    client = {"REDIS_TLS_CERTIFICATE": trust.client.certificate, "REDIS_TLS_KEY": trust.client.key}
    assert Shop(monkeypatch, REDIS_URL=at["localhost"], REDIS_TLS_CA=trust.ours.ca, **client).reaches_redis()
    assert Shop(monkeypatch, REDIS_URL=at["127.0.0.1"], REDIS_TLS_VERIFY="false").reaches_redis()
    with pytest.raises(RedisError, match="certificate verify failed"):
        Shop(monkeypatch, REDIS_URL=at["localhost"], REDIS_TLS_CA=trust.other.ca).reaches_redis()
    with pytest.raises(RedisError, match="certificate verify failed"):
        Shop(monkeypatch, REDIS_URL=at["localhost"]).reaches_redis()
    with pytest.raises(RedisError, match="IP address mismatch"):
        Shop(monkeypatch, REDIS_URL=at["127.0.0.1"], REDIS_TLS_CA=trust.ours.ca).reaches_redis()


def test_rabbitmq_is_verified_and_shown_the_certificate(monkeypatch, trust: Trust, rabbit_port: int):
    at = {host: f"amqps://guest:guest@{host}:{rabbit_port}//" for host in ("localhost", "127.0.0.1")}
    client = {"BROKER_TLS_CERTIFICATE": trust.client.certificate, "BROKER_TLS_KEY": trust.client.key}
    assert Shop(monkeypatch, BROKER_URL=at["localhost"], BROKER_TLS_CA=trust.ours.ca, **client).reaches_rabbit()
    assert Shop(monkeypatch, BROKER_URL=at["127.0.0.1"], BROKER_TLS_VERIFY="false", **client).reaches_rabbit()
    with pytest.raises(Exception, match="certificate verify failed"):
        Shop(monkeypatch, BROKER_URL=at["localhost"], BROKER_TLS_CA=trust.other.ca, **client).reaches_rabbit()
    with pytest.raises(Exception, match="certificate verify failed"):
        Shop(monkeypatch, BROKER_URL=at["localhost"], **client).reaches_rabbit()
    with pytest.raises(Exception, match="IP address mismatch"):
        Shop(monkeypatch, BROKER_URL=at["127.0.0.1"], BROKER_TLS_CA=trust.ours.ca, **client).reaches_rabbit()
    with pytest.raises(Exception, match=r"certificate required|closed|reset|EOF"):
        Shop(monkeypatch, BROKER_URL=at["localhost"], BROKER_TLS_CA=trust.ours.ca).reaches_rabbit()


@pytest.mark.parametrize("ca", ["ours", "other"])
def test_a_process_takes_these_settings(
    trust: Trust, postgres: PrivatePostgres, redis_port: int, rabbit_port: int, ca: str
):
    """It lacks databases and queues, which it can say only of servers that it talks to."""
    path = getattr(trust, ca).ca
    said = subprocess.run(
        [sys.executable, "manage.py", "ready"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "SHOP_DEBUG": "true",
            "SHOP_POSTGRES_URL": f"postgres://postgres@localhost:{postgres.port}",
            "SHOP_BROKER_URL": f"amqps://guest:guest@localhost:{rabbit_port}//",
            "SHOP_REDIS_URL": f"rediss://localhost:{redis_port}/0",
            **{f"SHOP_{kind}_TLS_CA": str(path) for kind in tls.KINDS},
            "SHOP_BROKER_TLS_CERTIFICATE": str(trust.client.certificate),
            "SHOP_BROKER_TLS_KEY": str(trust.client.key),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    ).stderr
    assert ("certificate verify failed" in said) is (ca == "other"), said
    assert ("does not exist; run manage.py migrate --create" in said) is (ca == "ours"), said
    assert ("queue orchestrator is missing" in said) is (ca == "ours"), said
    assert ("Redis (SHOP_REDIS_URL)" in said) is (ca == "other"), said


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"BROKER_TLS_CA": "{ca}"}, "SHOP_BROKER_URL: the BROKER_TLS_ settings have no effect, as it does not begin"),
        ({"REDIS_TLS_VERIFY": "true"}, "SHOP_REDIS_URL: the REDIS_TLS_ settings have no effect"),
        ({"DATABASE_TLS_CA": "/no/such"}, "SHOP_DATABASE_TLS_CA: /no/such cannot be used: No such file"),
        ({"DATABASE_TLS_CA": __file__}, f"SHOP_DATABASE_TLS_CA: {__file__} cannot be used: "),
        ({"DATABASE_TLS_CA": "{ca}", "DATABASE_TLS_VERIFY": "false"}, "SHOP_DATABASE_TLS_CA: of no effect while"),
        ({"DATABASE_TLS_KEY": "{ca}"}, "SHOP_DATABASE_TLS_KEY: the certificate that it belongs to is missing"),
        ({"DATABASE_TLS_CERTIFICATE": "{ca}"}, "SHOP_DATABASE_TLS_CERTIFICATE: "),
        ({"BROKER_URL": "amqps://a//;amqps://b//"}, "SHOP_BROKER_URL: names several servers"),
        ({"DATABASE_TLS_VERIFY": "maybe"}, "SHOP_DATABASE_TLS_VERIFY: 'maybe' is neither true nor false"),
    ],
)
def test_settings_that_cannot_take_effect_are_refused(monkeypatch, trust: Trust, variables: dict[str, str], said: str):
    monkeypatch.delenv("SHOP_BROKER_URL", raising=False)
    monkeypatch.delenv("SHOP_REDIS_URL", raising=False)
    with pytest.raises(env.BadSetting) as raised:
        Shop(monkeypatch, **{name: value.format(ca=trust.ours.ca) for name, value in variables.items()})
    assert str(raised.value).startswith(said)


def test_what_an_address_says_itself_goes_first(monkeypatch, trust: Trust):
    url = "rediss://h/0?ssl_cert_reqs=none"
    shop = Shop(monkeypatch, REDIS_URL=url, REDIS_TLS_CA=trust.ours.ca)
    assert tls.redis_url(tls.tls_of(shop.values, "REDIS"), url).startswith(f"{url}&ssl_ca_certs=")
