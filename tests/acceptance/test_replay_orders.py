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
CANCELLED = DATA / "online_retail_cancelled.csv"


def replay(file: Path = SLICE, **options: Any) -> dict[str, Any]:
    """Replay the file; what the report says."""
    out = StringIO()
    call_command("replay_orders", file, format="json", concurrency=4, stdout=out, **options)
    report: dict[str, Any] = json.loads(out.getvalue())
    return report


@pytest.mark.usefixtures("shared_worker", "audited")
def test_a_file_replayed_through_both_doors_is_placed_once_and_to_the_penny(live_server):
    by_http = replay(url=live_server.url)
    by_engine = replay(via="engine")

    assert by_http["invoices"] == {
        **{"read": 32, "placed": 23, "given_back": 0, "refused": 0, "undecided": 0},
        "nothing_to_order": 9,
    }
    assert by_http["lines"] == {"read": 926, "ordered": 909, "given_back": 0, "skipped": 17}
    assert by_http["total_minor"] == {
        "file": FILE_PENCE,
        "placed": FILE_PENCE - SKIPPED_PENCE,
        "given_back": 0,
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
    assert table["cancellation_names_no_order"][1:] == ["4", "-3595"]
    assert "cancellations that name no order of the file: C536379, C536383, C536543" in table
    assert table["file"][1:] == ["32", "926", str(FILE_PENCE)]
    assert "totals agree, to the penny" in table


@pytest.mark.usefixtures("shared_worker", "audited")
def test_cancellations_are_given_back_once_and_to_the_penny_through_both_doors(live_server):
    by_http = replay(CANCELLED, url=live_server.url)
    by_engine = replay(CANCELLED, via="engine")

    assert by_http["invoices"] == {
        **{"read": 6, "placed": 3, "given_back": 2, "refused": 0, "undecided": 0},
        "nothing_to_order": 1,
    }
    assert by_http["total_minor"] == {
        **{"file": 1_538, "placed": 7_652, "given_back": -4_450, "refused": 0, "undecided": 0},
        "skipped": -1_295 - 200 - 169,
    }
    assert by_http["agrees"]
    assert [(item["invoice"], item["code"], item["reason"]) for item in by_http["skipped"]] == [
        ("C700002", "22633", "not_ordered_on_its_invoice"),
        ("C700002", "D", "not_goods"),
        ("C700009", "84879", "cancellation_names_no_order"),
    ]
    assert by_engine | {"seconds": 0} == by_http | {"seconds": 0}
    assert sorted(Order.objects.values_list("status", "refunded_minor")) == [
        ("cancelled", 4_080),
        ("confirmed", 0),
        ("confirmed", 370),
    ]
    assert not AuthToken.objects.exists()


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
