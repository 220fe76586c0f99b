"""Existing orders obey the checks of changes. PostgreSQL reads the tables, while orders are written as before."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orders", "0004_order_changes")]

    operations = [
        ValidateConstraint("order", "order_status_is_known"),
        ValidateConstraint("order", "order_not_over_refunded"),
        ValidateConstraint("orderline", "order_line_not_over_dispatched"),
        ValidateConstraint("orderline", "order_line_not_over_returned"),
    ]
