"""Existing orders obey the checks of amounts. PostgreSQL reads the table, while rows are written as before."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orders", "0009_discounts_and_credit")]

    operations = [
        ValidateConstraint("order", "order_discount_not_negative"),
        ValidateConstraint("order", "order_credit_within_total"),
    ]
