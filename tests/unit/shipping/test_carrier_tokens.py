"""Reading the sandbox carrier's test tokens."""

import pytest

from orchestration.participant.sandbox.tokens import Behaviour, NetworkFault
from shipping.carriers.sandbox.behaviour import TOKENS, Trait


@pytest.mark.parametrize(
    ("line2", "behaviour"),
    [
        ("carrier_refuse", Behaviour(Trait.REFUSE)),
        ("carrier_collected", Behaviour(Trait.COLLECTED)),
        ("carrier_timeout_before", Behaviour(NetworkFault.TIMEOUT_BEFORE)),
        ("carrier_arrives_late_60", Behaviour(NetworkFault.ARRIVES_LATE, 60)),
        ("carrier_cancel_fail_3", Behaviour(Trait.CANCEL_FAIL, 3)),
    ],
)
def test_a_token_names_a_behaviour(line2: str, behaviour: Behaviour) -> None:
    assert TOKENS.read(line2) == behaviour


@pytest.mark.parametrize("line2", ["", "Flat 3", "carrier_", "carrier_late", "carrier_refuse_1", "c/o carrier_refuse"])
def test_any_other_second_line_is_just_an_address(line2: str) -> None:
    assert TOKENS.read(line2) is None
