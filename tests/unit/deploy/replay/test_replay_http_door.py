"""The HTTP door, against a shop that answers from a script."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from deploy.replay.http_placer import HttpPlacer, Unreachable
from deploy.replay.placers import Outcome, Result
from deploy.replay.plan import CancellationInvoice, Invoice
from orchestration.contracts.values import Line

INVOICE = Invoice("536365", "17850", "GB", (Line("MUG", 2, 450), Line("MUG", 1, 450)))
CHECKOUTS, CHECKOUT, ORDER = "POST /api/v1/checkouts", "GET /api/v1/checkouts/c-1", "GET /api/v1/orders/o-1"
WHOLE = CancellationInvoice("C536365", INVOICE, INVOICE.lines)
PART = CancellationInvoice("C536365", INVOICE, (Line("MUG", 1, 450), Line("MUG", 1, 450)))
STARTED = (202, {"id": "ch-1"})
ACCEPTED = (202, {"id": "c-1"})
CONFIRMED = (200, {"id": "c-1", "order_id": "o-1", "status": "confirmed"})
LINES = (200, {"lines": [{"total": {"amount_minor": 900}}, {"total": {"amount_minor": 450}}]})

Answer = tuple[int, Any]


class ScriptedShop(ThreadingHTTPServer):
    """Answers each "METHOD path" with the next of its answers, and with the last one for ever."""

    daemon_threads = True

    def __init__(self, script: dict[str, list[Answer]]) -> None:
        super().__init__(("127.0.0.1", 0), _Clerk)
        self.script = script
        self.asked: list[tuple[str, dict[str, str], Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def next_answer(self, question: str) -> Answer:
        answers = self.script[question]
        return answers.pop(0) if len(answers) > 1 else answers[0]


class _Clerk(BaseHTTPRequestHandler):
    server: ScriptedShop

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        question = f"{self.command} {self.path}"
        self.server.asked.append((question, dict(self.headers), json.loads(body) if body else None))
        status, answer = self.server.next_answer(question)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def shop(**script: list[Answer]) -> Iterator[tuple[ScriptedShop, HttpPlacer]]:
    names = {"checkouts": CHECKOUTS, "checkout": CHECKOUT, "order": ORDER, "products": "GET /api/v1/products"}
    names |= {
        "cancel": "POST /api/v1/orders/o-1/cancel",
        "refunds": "POST /api/v1/orders/o-1/refunds",
        "change": "GET /api/v1/orders/o-1/changes/ch-1",
    }
    server = ScriptedShop({names[name]: answers for name, answers in script.items()})
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server, HttpPlacer(server.url, {"retail-17850": "secret", "retail-clerk": "staff"}, timedelta(seconds=5))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_invoice_is_sent_as_its_customer_with_its_key_and_total() -> None:
    with shop(checkouts=[ACCEPTED], checkout=[CONFIRMED], order=[LINES]) as (server, door):
        assert door.place(INVOICE) == Outcome(Result.PLACED, 1350)
    _, headers, body = server.asked[0]
    assert (headers["Authorization"], headers["Idempotency-Key"]) == ("Token secret", "invoice-536365")
    assert body["lines"] == [{"sku": "MUG", "quantity": 2}, {"sku": "MUG", "quantity": 1}]
    assert body["expected_total"] == {"amount_minor": 1350, "currency": "GBP"}
    assert body["shipping_address"]["country"] == "GB"


@pytest.mark.parametrize("answer", [(409, {"code": "idempotency_key_in_progress"}), (503, b"<html>"), (500, b"")])
def test_a_busy_or_broken_shop_is_asked_again_with_the_same_key(answer: Answer) -> None:
    with shop(checkouts=[answer, ACCEPTED], checkout=[CONFIRMED], order=[LINES]) as (server, door):
        assert door.place(INVOICE).result is Result.PLACED
    keys = [headers["Idempotency-Key"] for question, headers, _ in server.asked if question == CHECKOUTS]
    assert keys == ["invoice-536365"] * 2


def test_the_outcome_is_waited_for() -> None:
    processing = (200, {"id": "c-1", "status": "processing"})
    with shop(checkouts=[ACCEPTED], checkout=[processing, processing, CONFIRMED], order=[LINES]) as (_, door):
        assert door.place(INVOICE).result is Result.PLACED


def test_an_order_that_failed_is_refused_with_its_code() -> None:
    failed = (200, {"id": "c-1", "status": "failed", "failure": {"code": "card_declined", "detail": ""}})
    with shop(checkouts=[ACCEPTED], checkout=[failed]) as (_, door):
        assert door.place(INVOICE) == Outcome(Result.REFUSED, code="card_declined")


def test_a_cart_that_is_turned_away_is_refused_with_its_code() -> None:
    with shop(checkouts=[(422, {"code": "price_changed"})]) as (_, door):
        assert door.place(INVOICE) == Outcome(Result.REFUSED, code="price_changed")


def test_an_answer_that_never_comes_is_undecided() -> None:
    with shop(checkouts=[(503, b"")]) as (server, _):
        door = HttpPlacer(server.url, {"retail-17850": "secret"}, timedelta(milliseconds=50))
        assert door.place(INVOICE).result is Result.UNDECIDED


def test_a_shop_that_nobody_keeps_is_unreachable() -> None:
    with shop(products=[(200, {})]) as (server, door):
        door.check()
    with pytest.raises(Unreachable, match=f"{server.url} answers nothing"):
        door.check()


def test_a_token_that_is_not_good_is_unreachable() -> None:
    with shop(products=[(401, {})]) as (_, door), pytest.raises(Unreachable, match="answers 401"):
        door.check()


def change(status: str, **more: Any) -> Answer:
    return 200, {"id": "ch-1", "status": status, **more}


def test_a_cancellation_of_all_units_cancels_the_order_as_its_customer() -> None:
    given_back = change("confirmed", amount={"amount_minor": 1350, "currency": "GBP"})
    with shop(cancel=[STARTED], change=[change("processing"), given_back]) as (server, door):
        assert door.give_back(WHOLE, "o-1") == Outcome(Result.GIVEN_BACK, -1350)
    _, headers, body = server.asked[0]
    assert (headers["Authorization"], headers["Idempotency-Key"]) == ("Token secret", "invoice-C536365")
    assert body == {"reason": "Invoice C536365"}


def test_a_cancellation_of_some_units_refunds_them_as_staff() -> None:
    given_back = change("confirmed", amount={"amount_minor": 900, "currency": "GBP"})
    with shop(refunds=[STARTED], change=[given_back]) as (server, door):
        assert door.give_back(PART, "o-1") == Outcome(Result.GIVEN_BACK, -900)
    _, headers, body = server.asked[0]
    assert (headers["Authorization"], headers["Idempotency-Key"]) == ("Token staff", "invoice-C536365")
    assert body == {"reason": "Invoice C536365", "lines": [{"sku": "MUG", "quantity": 2}]}


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ({"cancel": [(409, {"code": "already_dispatched"})]}, "already_dispatched"),
        ({"cancel": [STARTED], "change": [change("failed", failure={"code": "order_busy"})]}, "order_busy"),
    ],
)
def test_a_refused_cancellation_is_reported_with_its_code(script: dict[str, list[Answer]], code: str) -> None:
    with shop(**script) as (_, door):
        assert door.give_back(WHOLE, "o-1") == Outcome(Result.REFUSED, code=code)


def test_a_cancellation_is_sent_again_with_the_same_key_while_the_shop_is_busy() -> None:
    busy = [(409, {"code": "idempotency_key_in_progress"}), (503, {}), (429, {}), (409, {"code": "order_cancelled"})]
    with shop(cancel=busy) as (server, door):
        assert door.give_back(WHOLE, "o-1") == Outcome(Result.REFUSED, code="order_cancelled")
    assert {headers["Idempotency-Key"] for _, headers, _ in server.asked} == {"invoice-C536365"}
    assert len(server.asked) == 4
