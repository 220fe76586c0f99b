"""Writes the amounts of payments that were captured or refunded in full, and the rows of those refunds."""

from django.db import migrations

AMOUNTS = """
    UPDATE payments_payment
    SET captured_minor = amount_minor, refunded_minor = CASE status WHEN 'refunded' THEN amount_minor ELSE 0 END
    WHERE status IN ('captured', 'refunded')
"""
REFUNDS = """
    INSERT INTO payments_refund
        (saga_id, step, payment_id, destination, amount_minor, status, gateway_id, origin, reason, requested_at, changed_at)
    SELECT saga_id, 'authorise_payment', id, 'card', amount_minor, 'succeeded', refund_id, 'ours', '', changed_at, changed_at
    FROM payments_payment
    WHERE status = 'refunded' AND amount_minor > 0
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0005_partial_refunds")]

    operations = [
        migrations.RunSQL(AMOUNTS, migrations.RunSQL.noop),
        migrations.RunSQL(REFUNDS, migrations.RunSQL.noop),
    ]
