"""A customer of the shop, or its staff: places and changes orders over HTTP, and queries their state."""

import json
import time
import urllib.error
import urllib.request
from typing import Any

TIMEOUT_SECONDS = 15.0
TRIES = 20
PAUSE_SECONDS = 0.25
PATIENCE_SECONDS = 10


class Refused(Exception):
    """The shop did not accept the request. The message is the code in its response."""


class Unreachable(Exception):
    """The shop gave no usable response, however often the request was sent."""


class Client:
    """One person's token at one shop."""

    def __init__(self, base_url: str, token: str) -> None:
        self._base_url = base_url
        self._headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}

    def place(self, body: dict[str, Any], *, key: str) -> str:
        """Place an order and return the checkout's id. The key makes a repeated request safe."""
        answer = self._ask("POST", "/api/v1/checkouts", body, {"Idempotency-Key": key})
        return str(answer["id"])

    def checkout(self, checkout_id: str) -> dict[str, Any]:
        """Fetch the state of a checkout."""
        return self._ask("GET", f"/api/v1/checkouts/{checkout_id}")

    def change(self, path: str, body: dict[str, Any], *, key: str) -> dict[str, Any]:
        """Change a placed order, and wait a few seconds for the outcome."""
        headers = {"Idempotency-Key": key, "Prefer": f"wait={PATIENCE_SECONDS}"}
        return self._ask("POST", f"/api/v1{path}", body, headers)

    def _ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        request = urllib.request.Request(
            self._base_url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={**self._headers, **(headers or {})},
        )
        reason = ""
        for _ in range(TRIES):
            try:
                return _read(request)
            except urllib.error.HTTPError as error:
                if error.code < 500 and error.code != 429:
                    raise Refused(_code(error)) from None
                reason = f"{error.code} {error.reason}"
            except OSError as error:
                reason = str(error)
            time.sleep(PAUSE_SECONDS)
        raise Unreachable(f"{method} {path}: {reason}")


def _read(request: urllib.request.Request) -> dict[str, Any]:
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
        answer: dict[str, Any] = json.load(response)
        return answer


def _code(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["code"])
    except (ValueError, KeyError):
        return str(error.code)
