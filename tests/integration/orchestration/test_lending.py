"""What threads of workers leave behind between one piece of work and the next."""

import pytest
from django.db import connections

from orchestration.db.connections import let_connections_go
from orchestration.models import ALIAS, SagaInstance


@pytest.mark.django_db(transaction=True, databases=[ALIAS])
def test_nothing_is_kept_of_what_was_asked_in_debug_mode(settings):
    settings.DEBUG = True
    assert not SagaInstance.objects.using(ALIAS).exists()
    assert connections[ALIAS].queries_log

    let_connections_go()

    assert not connections[ALIAS].queries_log
