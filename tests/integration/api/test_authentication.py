"""A token opens what it opened a moment ago only while there is nothing to say against it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from knox.models import AuthToken

from orchestration.models import SagaInstance
from tests.integration.api.conftest import EVERY_DATABASE, Cart, Shopper

pytestmark = pytest.mark.django_db(databases=EVERY_DATABASE)

NOW = datetime.now(UTC)


def code(response: Any) -> str | None:
    return None if response.status_code == 200 else response.json()["code"]


def test_revoked_token_opens_nothing_any_more(ada: Shopper) -> None:
    assert code(ada.get("/orders")) is None
    AuthToken.objects.all().delete()
    assert code(ada.get("/orders")) == "authentication_failed"


def test_token_of_a_customer_who_is_shut_out_opens_nothing_any_more(ada: Shopper) -> None:
    assert code(ada.get("/orders")) is None
    get_user_model().objects.update(is_active=False)
    assert code(ada.get("/orders")) == "authentication_failed"


def test_token_opens_nothing_after_its_expiry(ada: Shopper) -> None:
    AuthToken.objects.update(expiry=NOW + timedelta(hours=1))
    assert code(ada.get("/orders")) is None
    AuthToken.objects.update(expiry=NOW - timedelta(hours=1))
    assert code(ada.get("/orders")) == "authentication_failed"


def test_token_that_only_begins_like_another_opens_nothing(ada: Shopper) -> None:
    for token in (ada.token[:-1], ada.token + "0", ada.token[:15], "x"):
        stranger = Shopper(ada.id, token, ada.client)
        assert code(stranger.get("/orders")) == "authentication_failed"


@pytest.mark.usefixtures("catalogue")
def test_token_is_distinguished_from_others_that_begin_alike(ada: Shopper, grace: Shopper, two_mugs: Cart) -> None:
    AuthToken.objects.update(token_key=ada.token[:15])
    ada.check_out(two_mugs)
    assert SagaInstance.objects.get().customer_id == ada.id
