"""Refunds of what store credit paid, and refunds that go to store credit."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0009_store_credit'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='refund',
            name='refund_one_per_step',
        ),
        migrations.AddField(
            model_name='walletmovement',
            name='checkout_id',
            field=models.UUIDField(help_text='The checkout whose order a refund gives back.', null=True),
        ),
        migrations.AlterField(
            model_name='refund',
            name='payment',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='refunds', to='payments.payment'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.UniqueConstraint(condition=models.Q(('origin', 'ours')), fields=('saga_id', 'step', 'payment'), name='refund_one_per_step'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.UniqueConstraint(condition=models.Q(('payment', None)), fields=('saga_id', 'step'), name='refund_one_of_credit_per_step'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.CheckConstraint(condition=models.Q(('payment__isnull', False), ('destination', 'credit'), _connector='OR'), name='refund_to_card_has_a_payment'),
        ),
    ]
