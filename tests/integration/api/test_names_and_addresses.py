"""Names and addresses: text that can be read is taken as it is, text that deceives or cannot be seen is refused."""

import pytest

from orchestration.models import SagaInstance
from orders.api.countries import COUNTRIES, WITHOUT_POSTCODES
from tests.integration.api.conftest import EVERY_DATABASE, Cart, Shopper, pointers

pytestmark = [pytest.mark.django_db(databases=EVERY_DATABASE), pytest.mark.usefixtures("catalogue")]

FIELDS = ("name", "line1", "city", "postcode")
REQUIRED = "/shipping_address/{}"


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "text",
    ["\u200b", " \u200b\u2060\ufeff ", "\u00ad", "\u2800", "\u3164\u115f", "\ufe0f", "\U000e0101", "\u00a0\u3000"],
    ids=ascii,
)
def test_text_that_cannot_be_seen_is_none(ada: Shopper, two_mugs: Cart, field: str, text: str) -> None:
    two_mugs["shipping_address"][field] = text
    response = ada.check_out(two_mugs)
    assert response.status_code == 422
    assert pointers(response) == [(REQUIRED.format(field), "blank")]


@pytest.mark.parametrize("field", [*FIELDS, "line2"])
@pytest.mark.parametrize(
    "character",
    ["\u2028", "\u2029", "\u0085", "\u009b", "\x7f", "\x1b", "\u202e", "\u202a", "\u2066", "\u2069", "\ufffe"],
    ids=ascii,
)
def test_characters_that_end_lines_or_turn_text_around_are_refused(
    ada: Shopper, two_mugs: Cart, field: str, character: str
) -> None:
    two_mugs["shipping_address"][field] = f"A{character}B"
    response = ada.check_out(two_mugs)
    assert response.status_code == 422
    assert pointers(response) == [(REQUIRED.format(field), "control_character")]
    assert character not in response.text


@pytest.mark.parametrize(
    "name",
    [
        "محمد بن سلمان",
        "שלמה כהן",
        "רחוב 5\u200f",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with a non-joiner
        "Ana 👩\u200d👩\u200d👧\u200d👦 ❤\ufe0f",
        "क्\u200dष",  # Hindi, with a joiner
        "佐藤\u3000花子",
        "Z\u0308oe O\u2019Brien-Müller",
        "Nguyễn Văn A",
    ],
    ids=ascii,
)
def test_names_of_all_scripts_are_taken_as_they_are(ada: Shopper, two_mugs: Cart, name: str) -> None:
    two_mugs["shipping_address"] |= {"name": name, "line1": name, "city": name}
    assert ada.check_out(two_mugs).status_code == 202
    assert SagaInstance.objects.get().request["shipping_address"]["name"] == name


@pytest.mark.parametrize("country", sorted(WITHOUT_POSTCODES))
def test_a_country_without_postcodes_needs_none(ada: Shopper, two_mugs: Cart, country: str) -> None:
    two_mugs["shipping_address"]["country"] = country
    del two_mugs["shipping_address"]["postcode"]
    assert ada.check_out(two_mugs).status_code == 202
    assert SagaInstance.objects.get().request["shipping_address"]["postcode"] == ""


@pytest.mark.parametrize("postcode", ["", "00000"])
def test_a_postcode_there_may_be_empty_or_made_up(ada: Shopper, two_mugs: Cart, postcode: str) -> None:
    two_mugs["shipping_address"] |= {"country": "AE", "postcode": postcode}
    assert ada.check_out(two_mugs).status_code == 202


@pytest.mark.parametrize("country", ["GB", "DE", "US", "IE", "IN", "UK", None, ["HK"]])
def test_any_other_country_needs_one(ada: Shopper, two_mugs: Cart, country: object) -> None:
    address = two_mugs["shipping_address"]
    address |= {"country": country, "postcode": " "}
    assert (REQUIRED.format("postcode"), "blank") in pointers(ada.check_out(two_mugs))
    del address["postcode"], address["city"]
    errors = pointers(ada.check_out(two_mugs))
    assert {(REQUIRED.format(name), "required") for name in ("city", "postcode")} <= set(errors)


def test_the_countries_without_postcodes_are_countries() -> None:
    assert WITHOUT_POSTCODES < COUNTRIES
    assert not WITHOUT_POSTCODES & set("GB US DE FR CH JP CN IN BR CA AU NL BE ES IT PL SE".split())
