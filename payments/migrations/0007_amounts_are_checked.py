"""Checks the amounts of new payments, and drops the column that refunds have replaced."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [("payments", "0006_amounts_from_status")]

    operations = [
        migrations.RemoveConstraint(model_name="payment", name="payment_status_is_known"),
        migrations.RemoveIndex(model_name="payment", name="payment_by_refund"),
        migrations.RemoveField(model_name="payment", name="refund_id"),
        AddConstraintNotValid(
            "payment",
            models.CheckConstraint(
                condition=Q(captured_minor__gte=0, captured_minor__lte=F("amount_minor")),
                name="payment_captures_what_was_held",
            ),
        ),
        AddConstraintNotValid(
            "payment",
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0, refunded_minor__lte=F("captured_minor")),
                name="payment_not_over_refunded",
            ),
        ),
        AddConstraintNotValid(
            "payment",
            models.CheckConstraint(
                condition=Q(status__in=("authorised", "voided"), capture_id=None, captured_minor=0)
                | Q(status="captured", capture_id__isnull=False, refunded_minor__lt=F("captured_minor"))
                | Q(status="refunded", capture_id__isnull=False, refunded_minor=F("captured_minor"))
                | Q(status="captured", capture_id__isnull=False, captured_minor=0),
                name="payment_status_follows_from_the_amounts",
            ),
        ),
    ]
