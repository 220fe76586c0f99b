"""`manage.py replay_orders`: a slice of real orders through both doors, to the penny."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count, Sum
from knox.models import AuthToken

from orders.models import Order, OrderLine

DATA = Path(__file__).parents[1] / "data"
SLICE = DATA / "online_retail.csv"
FILE_PENCE = 1_443_910
SKIPPED_PENCE = 74_374


def replay(**options: Any) -> dict[str, Any]:
    """Replay the slice; what the report says."""
    out = StringIO()
    call_command("replay_orders", SLICE, format="json", concurrency=4, stdout=out, **options)
    report: dict[str, Any] = json.loads(out.getvalue())
    return report


@pytest.mark.usefixtures("shared_worker", "audited")
def test_a_file_replayed_through_both_doors_is_placed_once_and_to_the_penny(live_server):
    by_http = replay(url=live_server.url)
    by_engine = replay(via="engine")

    assert by_http["invoices"] == {"read": 32, "placed": 23, "refused": 0, "undecided": 0, "nothing_to_order": 9}
    assert by_http["lines"] == {"read": 926, "ordered": 909, "skipped": 17}
    assert by_http["total_minor"] == {
        "file": FILE_PENCE,
        "placed": FILE_PENCE - SKIPPED_PENCE,
        "refused": 0,
        "undecided": 0,
        "skipped": SKIPPED_PENCE,
    }
    assert by_http["agrees"]
    assert by_engine | {"seconds": 0} == by_http | {"seconds": 0}
    assert Order.objects.aggregate(Count("id"), Sum("total_minor")) == {
        "id__count": 23,
        "total_minor__sum": FILE_PENCE - SKIPPED_PENCE,
    }
    assert OrderLine.objects.values("order").annotate(lines=Count("id")).order_by("-lines")[0]["lines"] == 591
    assert not AuthToken.objects.exists()


@pytest.mark.usefixtures("shared_worker", "audited")
def test_the_table_says_where_every_penny_went():
    out = StringIO()
    call_command("replay_orders", SLICE, via="engine", stdout=out)

    table = {line.strip().split("  ")[0]: line.split() for line in out.getvalue().splitlines()}
    assert table["placed"][1:] == ["23", "909", str(FILE_PENCE - SKIPPED_PENCE)]
    assert table["cancellation_not_yet_supported"][1:] == ["4", "-3595"]
    assert table["file"][1:] == ["32", "926", str(FILE_PENCE)]
    assert "totals agree, to the penny" in table


@pytest.mark.parametrize(
    ("file", "options", "complaint"),
    [
        ("no-such-file.csv", {}, "no-such-file.csv"),
        ("NOTICE", {}, "no column InvoiceNo"),
        ("online_retail.csv", {"url": "http://127.0.0.1:1"}, "http://127.0.0.1:1 answers nothing"),
    ],
)
def test_what_cannot_be_replayed_is_named(file, options, complaint):
    with pytest.raises(CommandError, match=complaint):
        call_command("replay_orders", DATA / file, **options)
