"""Existing ledger rows obey the check of statuses. PostgreSQL reads the table, while rows are written as before."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orders", "0006_semantic_locks")]

    operations = [ValidateConstraint("ledger", "orders_ledger_status_is_known")]
