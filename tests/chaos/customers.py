"""Customers of a chaos run: they order over HTTP, repeat requests until they get a response, double requests,
cancel.
"""

import json
import random
import threading
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from uuid import UUID

TIMEOUT_SECONDS = 8.0
PAUSE_SECONDS = 0.4
TOKENS = (
    *(["tok_ok"] * 14),
    *("tok_declined", "tok_timeout_after", "tok_timeout_before", "tok_arrives_late_3", "tok_fail_1", "tok_void_fail_1"),
    "tok_capture_fail_1",
)
LINE2 = (*([""] * 14), "carrier_refuse", "carrier_refuse", "carrier_timeout_after", "carrier_arrives_late_3")


@dataclass
class Responses:
    """The responses that customers received; `ids` is by key."""

    ids: dict[str, UUID] = field(default_factory=dict)
    contradictions: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def accept(self, key: str, checkout_id: UUID) -> None:
        """Record an acceptance. The same key must always get the same checkout id."""
        if self.ids.setdefault(key, checkout_id) != checkout_id:
            self.contradictions.append(f"key {key} was told {self.ids[key]} and {checkout_id}")


class Customer(threading.Thread):
    """One customer with a rate of orders. It ends after its current order when `closed` is set."""

    def __init__(self, url: str, seeded: dict[str, Any], heard: Responses, seed: str, closed: threading.Event) -> None:
        super().__init__(name=f"customer {seed}", daemon=True)
        self._url, self._heard, self._closed = url, heard, closed
        self._chance = random.Random(seed)
        self._skus = [product["sku"] for product in seeded["skus"]]
        self._headers = {"Authorization": f"Token {seeded['token']}", "Content-Type": "application/json"}
        self._gave_up = threading.Event()

    def run(self) -> None:
        while not self._closed.is_set():
            self._order()
            self._closed.wait(self._chance.uniform(0, PAUSE_SECONDS))

    def give_up(self) -> None:
        """Stop repeating requests."""
        self._gave_up.set()

    def _order(self) -> None:
        key, body = str(UUID(int=self._chance.getrandbits(128))), self._body()
        if self._chance.random() < 0.1:
            twin = threading.Thread(target=self._insist, args=(key, body), daemon=True)
            twin.start()
            self._insist(key, body)
            twin.join()
        else:
            self._insist(key, body)
        if key in self._heard.ids and self._chance.random() < 0.08:
            status, _ = self._ask("POST", f"/api/v1/checkouts/{self._heard.ids[key]}/cancel", {}, {})
            self._heard.answers[f"cancel {status}"] += 1

    def _insist(self, key: str, body: dict[str, Any]) -> None:
        while not self._gave_up.is_set():
            status, answer = self._ask("POST", "/api/v1/checkouts", body, {"Idempotency-Key": key})
            self._heard.answers[status] += 1
            if status in ("200", "201", "202"):
                self._heard.accept(key, UUID(answer["id"]))
                return
            if status.startswith("4") and status not in ("409", "429"):
                self._heard.refused[answer.get("code", status)] += 1
                return
            self._gave_up.wait(self._chance.uniform(0.1, 0.6))

    def _ask(self, method: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[str, dict[str, Any]]:
        request = urllib.request.Request(
            self._url + path, method=method, data=json.dumps(body).encode(), headers={**self._headers, **headers}
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
                return str(response.status), json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return str(error.code), _read(error.read())
        except (OSError, ValueError, HTTPException) as error:
            return f"no answer ({type(error).__name__})", {}

    def _body(self) -> dict[str, Any]:
        chosen = self._chance.sample(self._skus, self._chance.randint(1, 3))
        address = {
            "name": "Ada Example",
            "line1": "1 Market Street",
            "line2": self._chance.choice(LINE2),
            "city": "London",
            "postcode": "EC1A 1BB",
            "country": "GB",
        }
        lines = [{"sku": sku, "quantity": self._chance.randint(1, 2)} for sku in chosen]
        return {"lines": lines, "shipping_address": address, "payment_method": self._chance.choice(TOKENS)}


def _read(text: bytes) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(text)
    except ValueError:
        return {}
    return answer
