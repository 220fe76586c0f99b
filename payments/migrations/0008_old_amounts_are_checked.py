"""Existing payments obey the checks of amounts. PostgreSQL reads the table, while payments are written as before."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("payments", "0007_amounts_are_checked")]

    operations = [
        ValidateConstraint("payment", "payment_captures_what_was_held"),
        ValidateConstraint("payment", "payment_not_over_refunded"),
        ValidateConstraint("payment", "payment_status_follows_from_the_amounts"),
    ]
