"""The digests by which a sandbox knows whether a key is used for the same request again."""

from orchestration.contracts.codec import decode
from orchestration.contracts.values import Address
from orchestration.participant.sandbox.books import fingerprint_of

FIELDS = {"name": "Ada", "line1": "1 High St", "city": "Leeds", "postcode": "LS1 1AA", "country": "GB"}


def test_equal_requests_have_one_fingerprint_in_whichever_order_their_fields_came() -> None:
    """PostgreSQL orders the fields of JSON anew: a compensation is read from there, its action is not."""
    as_sent, as_stored = decode(Address, FIELDS), decode(Address, dict(sorted(FIELDS.items())))

    assert fingerprint_of(as_sent) == fingerprint_of(as_stored)


def test_another_request_has_another_fingerprint() -> None:
    assert fingerprint_of(decode(Address, FIELDS)) != fingerprint_of(decode(Address, FIELDS | {"city": "York"}))
