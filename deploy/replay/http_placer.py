"""Places past orders and gives units back over HTTP, like any customer and any member of staff."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from deploy.replay.placers import CLERK, Outcome, Result, body_of, change_body_of, key_of, username_of
from deploy.replay.plan import CancellationInvoice, Invoice
from orchestration.api.polling import wait_for

ANSWER_WITHIN_S = 30
IN_PROGRESS = "idempotency_key_in_progress"


class Unreachable(Exception):
    """No shop answers at this address."""


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any


@dataclass(frozen=True)
class HttpPlacer:
    """The API at `url` ("http://127.0.0.1:8000"), with a token by username."""

    url: str
    tokens: Mapping[str, str]
    patience: timedelta

    def place(self, invoice: Invoice) -> Outcome:
        """Place the order and wait until it is decided. A repeated call finds the order of the first call."""
        token = self.tokens[username_of(invoice)]
        body, key = body_of(invoice), key_of(invoice)
        reply = wait_for(lambda: self._posted("/api/v1/checkouts", token, body, key), self.patience)
        if reply is None:
            return Outcome(Result.UNDECIDED, code="no_answer")
        if reply.status not in (HTTPStatus.OK, HTTPStatus.ACCEPTED):
            return Outcome(Result.REFUSED, code=reply.body.get("code", str(reply.status)))
        checkout = reply.body
        return wait_for(lambda: self._decided(checkout["id"], token), self.patience) or Outcome(Result.UNDECIDED)

    def give_back(self, cancellation: CancellationInvoice, order_id: str) -> Outcome:
        """Cancel the placed order as its customer, or refund units of it as a member of staff.

        A repeated call finds the change of the first call.
        """
        token = self.tokens[username_of(cancellation.order) if cancellation.is_whole else CLERK]
        path = f"/api/v1/orders/{order_id}/{'cancel' if cancellation.is_whole else 'refunds'}"
        body, key = change_body_of(cancellation), key_of(cancellation)
        reply = wait_for(lambda: self._posted(path, token, body, key), self.patience)
        if reply is None:
            return Outcome(Result.UNDECIDED, code="no_answer")
        if reply.status not in (HTTPStatus.OK, HTTPStatus.ACCEPTED):
            return Outcome(Result.REFUSED, code=reply.body.get("code", str(reply.status)))
        change = f"/api/v1/orders/{order_id}/changes/{reply.body['id']}"
        return wait_for(lambda: self._given_back(change, token), self.patience) or Outcome(Result.UNDECIDED)

    def check(self) -> None:
        """Check that the API answers a customer as it should.

        :raises Unreachable: when it does not.
        """
        reply = self._call("GET", "/api/v1/products", next(iter(self.tokens.values())))
        if reply is None or reply.status != HTTPStatus.OK:
            raise Unreachable(f"{self.url} answers {reply.status if reply else 'nothing'}")

    def _posted(self, path: str, token: str, body: object, key: str) -> Reply | None:
        reply = self._call("POST", path, token, body, {"Idempotency-Key": key, "Prefer": "wait=5"})
        if reply is None or reply.status == HTTPStatus.TOO_MANY_REQUESTS or reply.status >= 500:
            return None
        return None if reply.body.get("code") == IN_PROGRESS else reply

    def _decided(self, checkout_id: str, token: str) -> Outcome | None:
        reply = self._call("GET", f"/api/v1/checkouts/{checkout_id}", token)
        if reply is None or reply.status != HTTPStatus.OK:
            return None
        match reply.body["status"]:
            case "confirmed":
                return self._placed(reply.body["order_id"], token)
            case "failed" | "cancelled" as status:
                return Outcome(Result.REFUSED, code=(reply.body["failure"] or {}).get("code", status))
            case _:
                return None

    def _placed(self, order_id: str, token: str) -> Outcome | None:
        reply = self._call("GET", f"/api/v1/orders/{order_id}", token)
        if reply is None or reply.status != HTTPStatus.OK:
            return None
        total_minor = sum(line["total"]["amount_minor"] for line in reply.body["lines"])
        return Outcome(Result.PLACED, total_minor, order_id=order_id)

    def _given_back(self, change: str, token: str) -> Outcome | None:
        reply = self._call("GET", change, token)
        if reply is None or reply.status != HTTPStatus.OK:
            return None
        match reply.body["status"]:
            case "confirmed":
                return Outcome(Result.GIVEN_BACK, -reply.body["amount"]["amount_minor"])
            case "failed":
                return Outcome(Result.REFUSED, code=reply.body["failure"]["code"])
            case _:
                return None

    def _call(
        self, method: str, path: str, token: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Reply | None:
        """Send a request. Return None when there is no response."""
        request = urllib.request.Request(
            self.url.rstrip("/") + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Token {token}", "Content-Type": "application/json", **(headers or {})},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_S) as response:
                return Reply(response.status, json.load(response))
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, _problem(error.read()))
        except (OSError, ValueError):
            return None


def _problem(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return {}
