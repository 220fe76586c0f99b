"""A participant's no: expected, final, and it changed nothing."""

from typing import Any, ClassVar

from orchestration.text.cleaning import harmless


class Refusal(Exception):
    """The request cannot be granted.

    Subclass it beside the function that raises it: the docstring is the message a customer may read, `code` the name
    programs may compare, and the keyword arguments are the facts (nothing secret), which may quote the
    other side.
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
    """A failure, and no try will end otherwise: after the pivot, or compensating, the step is parked at once.

    Before the pivot the saga is given up. It is no refusal: the ledger row stays open, and says nothing.
    """


class CannotCall(Exception):
    """A call outside cannot be made from this process; nothing was called. The saga tries again until its deadline."""
