"""Every change of a model has its migration."""

import pytest
from django.core.management import call_command

from config import env


@pytest.mark.django_db(databases=list(env.ALIASES))
def test_no_migration_is_missing(capsys):
    call_command("makemigrations", check=True, dry_run=True)

    assert "No changes detected" in capsys.readouterr().out
