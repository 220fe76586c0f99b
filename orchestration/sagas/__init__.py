"""Every saga definition this code can run, by name."""

from collections.abc import Mapping

from orchestration.saga import Saga
from orchestration.sagas.checkout import checkout

definitions: dict[str, Saga] = {saga.name: saga for saga in (checkout,)}


class UnknownDefinition(LookupError):
    """This code has no saga definition of that name."""


def definition_of(name: str, among: Mapping[str, Saga] = definitions) -> Saga:
    """:raises UnknownDefinition: when the code at hand lacks it."""
    try:
        return among[name]
    except KeyError:
        raise UnknownDefinition(f"no saga definition is called {name!r}") from None
