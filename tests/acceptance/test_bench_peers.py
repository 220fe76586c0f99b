"""The peer that needs no packages of its own, measured with real processes; nothing is left behind."""

import json
import os
import subprocess
import sys

import psycopg
import pytest
from django.conf import settings

from tests.support.processes import ROOT, environment


@pytest.fixture
def postgres_url() -> str:
    at = settings.DATABASES["orchestration"]
    password = f":{at['PASSWORD']}" if at["PASSWORD"] else ""
    return f"postgres://{at['USER']}{password}@{at['HOST']}:{at['PORT']}"


def test_the_plain_chain_is_measured_on_databases_that_are_gone_afterwards(postgres_url, tmp_path):
    prefix = f"peers{os.getpid()}_"
    measured = subprocess.run(
        [
            *(sys.executable, "-W", "ignore", "-m", "deploy.peers.measure", "chain", "--environment", str(tmp_path)),
            *("--variants", "base,declines", "--seconds", "1", "--warmup-seconds", "0.5"),
            *("--concurrency", "4", "--skus", "3"),
        ],
        cwd=ROOT,
        env={**os.environ, **environment(), "SHOP_POSTGRES_URL": postgres_url, "PEERS_PREFIX": prefix},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert measured.returncode == 0, measured.stderr
    found = json.loads(measured.stdout)
    assert set(found["base"]["ends"]) == {"completed"}
    assert set(found["declines"]["ends"]) == {"completed", "compensated"}
    assert [figures["unfinished"] for figures in found.values()] == [0, 0]
    with psycopg.connect(postgres_url, dbname="postgres") as server:
        assert not server.execute("SELECT 1 FROM pg_database WHERE datname LIKE %s", [prefix + "%"]).fetchall()
