"""Refusals and failures that a participant's code raises."""

from typing import Any, ClassVar

from orchestration.text.cleaning import harmless


class Refusal(Exception):
    """The participant refuses the request. This is expected, final, and changes nothing.

    Subclass it beside the function that raises it. Its docstring is the message for customers, and `code` is the name
    for programs. The keyword arguments are facts, which may quote the external system and hold no secret.
    """

    code: ClassVar[str]

    def __init__(self, **facts: Any) -> None:
        super().__init__(f"{self.code} {facts}")
        self.facts = facts

    def as_json(self) -> dict[str, Any]:
        """Return the refusal for ledger, saga log and messages, made harmless so that all of them can hold it."""
        refusal = {"code": self.code, "detail": (self.__doc__ or self.code).strip(), "facts": self.facts}
        return dict(harmless(refusal))


class PermanentFailure(Exception):
    """A failure that no retry can repair. After the pivot, or in a compensation, the step is parked at once.

    Before the pivot the saga is given up. This is no refusal: the ledger row stays open.
    """


class CannotCall(Exception):
    """This process cannot make the external call. No call was made. The saga retries until its deadline."""
