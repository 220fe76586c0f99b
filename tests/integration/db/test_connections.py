"""What threads of workers leave behind between one piece of work and the next."""

import pytest
from django.db import connections

from orchestration.db.connections import return_connections_between_jobs
from orchestration.models import ALIAS, SagaInstance


@pytest.mark.django_db(transaction=True, databases=[ALIAS])
def test_nothing_is_kept_of_what_was_asked_in_debug_mode(settings):
    settings.DEBUG = True
    assert not SagaInstance.objects.using(ALIAS).exists()
    assert connections[ALIAS].queries_log

    return_connections_between_jobs()

    assert not connections[ALIAS].queries_log
