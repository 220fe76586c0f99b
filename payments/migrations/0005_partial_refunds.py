"""Adds refunds, and the amounts of payments that were captured and given back."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0004_ledger_statuses_are_checked")]

    operations = [
        migrations.RemoveConstraint(model_name="payment", name="payment_has_a_capture_iff_money_was_taken"),
        migrations.RemoveConstraint(model_name="payment", name="payment_has_a_refund_iff_given_back"),
        migrations.AddField("payment", "captured_minor", models.BigIntegerField(db_default=0)),
        migrations.AddField("payment", "refunded_minor", models.BigIntegerField(db_default=0)),
        migrations.CreateModel(
            name="Refund",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("saga_id", models.UUIDField()),
                ("step", models.TextField()),
                ("destination", models.TextField(choices=[("card", "Card"), ("credit", "Credit")])),
                ("amount_minor", models.BigIntegerField()),
                (
                    "status",
                    models.TextField(
                        choices=[
                            ("requested", "Requested"),
                            ("pending", "Pending"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                        ]
                    ),
                ),
                ("gateway_id", models.TextField(null=True)),
                ("origin", models.TextField(choices=[("ours", "Ours"), ("gateway", "Gateway")], default="ours")),
                ("reason", models.TextField(default="")),
                ("requested_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("read_at", models.DateTimeField(null=True)),
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="refunds", to="payments.payment"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["saga_id"], name="refund_by_saga"),
                    models.Index(
                        condition=models.Q(("read_at__isnull", False)), fields=["read_at"], name="refund_to_read"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("origin", "ours")),
                        fields=("saga_id", "step", "destination"),
                        name="refund_one_per_step",
                    ),
                    models.UniqueConstraint(fields=("gateway_id",), name="refund_belongs_to_one_call"),
                    models.CheckConstraint(
                        condition=models.Q(("amount_minor__gte", 0)), name="refund_amount_not_negative"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("destination__in", ["card", "credit"])), name="refund_destination_is_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["requested", "pending", "succeeded", "failed"])),
                        name="refund_status_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("origin__in", ["ours", "gateway"])), name="refund_origin_is_known"
                    ),
                ],
            },
        ),
    ]
