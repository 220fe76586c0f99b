"""What the list of sagas can be sifted by; choices come from the code, so that no table is read for them."""

from collections.abc import Iterable
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from orchestration.models import SagaInstance
from orchestration.sagas import definitions
from orchestration.standing import STATUSES, has_status, known_steps, stands_at


class SagaFilter(SimpleListFilter):
    """A filter whose choices are words; a word that is none of them finds nothing."""

    def words(self) -> Iterable[str]:
        raise NotImplementedError

    def condition(self, word: str) -> Q:
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(word, word) for word in self.words()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SagaInstance]) -> QuerySet[SagaInstance]:
        word = self.value()
        if word is None:
            return queryset
        return queryset.filter(self.condition(word)) if word in self.words() else queryset.none()


class StatusFilter(SagaFilter):
    title = parameter_name = "status"

    def words(self) -> Iterable[str]:
        return STATUSES

    def condition(self, word: str) -> Q:
        return has_status(word)


class DefinitionFilter(SagaFilter):
    title = parameter_name = "definition"

    def words(self) -> Iterable[str]:
        return definitions

    def condition(self, word: str) -> Q:
        return Q(definition=word)


class StepFilter(SagaFilter):
    title = parameter_name = "step"

    def words(self) -> Iterable[str]:
        return known_steps()

    def condition(self, word: str) -> Q:
        return stands_at(word)
