"""`manage.py bench` with real processes: a few orders of everything, and nothing left behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from uuid_utils.compat import uuid7

from deploy.bench import stored_sagas
from deploy.bench.baskets import Baskets
from deploy.bench.buyer import Buyer, ensure_stock
from deploy.demo import leftovers
from deploy.servers.processes import ProcessId, tree
from orchestration.models import SagaInstance
from orchestration.operators.audit.violations import violations
from orders.models import Product
from tests.support.processes import ROOT, environment
from tests.support.wait import wait_for

SMALL = ("--seconds=1", "--warmup-seconds=0.5", "--concurrency=4", "--skus=3", "--threads=4")

EVERY = ["base", "declines", "hot", "http", "low", "load"]


@pytest.fixture
def bench_environment() -> Iterator[dict[str, str]]:
    """This run's databases, and queues that no other worker consumes."""
    prefix = f"{settings.TOPOLOGY.prefix}bench."
    yield {**os.environ, **environment(), "SHOP_QUEUE_PREFIX": prefix}
    leftovers.delete_queues(settings.CELERY_BROKER_URL, prefix=prefix)


def bench(env: dict[str, str], *options: str) -> subprocess.Popen[str]:
    """The command, begun."""
    command = [sys.executable, "-W", "ignore", "manage.py", "bench", *SMALL, *options]
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def measured(env: dict[str, str], output: Path, *options: str) -> tuple[str, dict[str, Any]]:
    """What it prints, and the file it writes."""
    with bench(env, f"--output={output}", *options) as process:
        printed, _ = process.communicate(timeout=150)
    assert process.returncode == 0, printed
    return printed, json.loads(output.read_text())


def test_every_variant_is_measured_and_every_order_decided(bench_environment, tmp_path):
    printed, report = measured(bench_environment, tmp_path / "figures.json", f"--variants={','.join(EVERY)}")

    assert list(report["medians"]) == EVERY
    for figures in report["medians"].values():
        assert figures["orders"] > 0
        assert figures["unfinished"] == 0
        assert figures["cpu_ms_per_order_by_part"]["workers"] > 0
    assert set(report["medians"]["declines"]["ends"]) == {"completed", "compensated"}
    assert set(report["medians"]["http"]["ends"]) == {"completed"}
    assert report["medians"]["http"]["cpu_ms_per_order_by_part"]["web"] > 0
    assert "| declines |" in printed
    assert not SagaInstance.objects.filter(ended_at=None).exists()
    assert not Product.objects.exists()
    assert not User.objects.exists()


def test_scaling_measures_base_and_hot_with_each_number_of_workers(bench_environment, tmp_path):
    _, report = measured(bench_environment, tmp_path / "figures.json", "--scaling=1,2", "--sandbox")

    assert list(report["medians"]) == [f"{name}, workers: {count}" for count in (1, 2) for name in ("base", "hot")]
    assert all(figures["unfinished"] == 0 for figures in report["medians"].values())
    assert violations() == []  # the sandbox keeps books


@pytest.mark.parametrize("name", ["PAYMENT_GATEWAY", "CARRIER"])
def test_a_shop_with_a_real_provider_is_not_measured(settings, name):
    setattr(settings, name, "live.Provider")

    with pytest.raises(CommandError, match=f"^SHOP_{name} is live.Provider: a benchmark never calls a real provider"):
        call_command("bench", sandbox=True, seconds=0.1)


def test_memory_is_looked_at_ten_times(bench_environment, tmp_path):
    _, report = measured(bench_environment, tmp_path / "figures.json", "--memory=20")

    assert list(report["resident_mib"]) == [str(2 * tenth) for tenth in range(11)]
    assert all(mib > 10 for mib in report["resident_mib"].values())


def test_a_bench_that_is_ended_early_ends_what_it_started(bench_environment, tmp_path):
    process = bench(bench_environment, "--seconds=60", "--variants=base", f"--output={tmp_path / 'figures.json'}")
    root = ProcessId.of(process.pid)
    try:
        wait_for(lambda: SagaInstance.objects.filter(ended_at__isnull=False).exists(), seconds=90)
        started = tree(root)[1:]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert started
    assert not [each for each in started if each.is_alive()]
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("shared_worker")
def test_stored_sagas_are_like_one_that_ended_and_can_be_removed(shop):
    ensure_stock(1)
    original = uuid7()
    Buyer(Baskets(1), customer_id=stored_sagas.CUSTOMER).start_order(0, original)
    assert shop.ended(original) == ["completed"]
    of_one = rows()

    stored_sagas.fill(sagas=50, original=original)

    assert stored_sagas.count() == 50
    assert rows() == {table: 50 * count for table, count in of_one.items()}
    copies = SagaInstance.objects.filter(customer_id=stored_sagas.CUSTOMER).exclude(pk=original)
    assert {copy.idempotency_key == str(copy.order_id) for copy in copies} == {True}
    assert {copy.ended_at.year for copy in copies} == {2020}
    assert {tuple(shop.story(copy.pk)) for copy in copies} == {tuple(shop.story(original))}
    assert not [found for found in violations() if found.invariant.startswith("A")]

    other = shop.place()
    assert shop.ended(other) == ["completed"]
    stored_sagas.clear()

    assert stored_sagas.count() == 0
    assert rows() == of_one
    assert shop.saga(other).phase == "completed"
    assert not [found for found in violations() if found.invariant.startswith("A")]


def rows() -> dict[str, int]:
    """How many rows about a saga or an order each table has that is copied."""
    return {
        model._meta.db_table: model._default_manager.using(alias).exclude(**{key: None}).count()
        for alias, model, key in stored_sagas.TABLES
    }
