"""Changes of placed orders. The checks of large tables are made valid by the next migration, which locks nothing."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0003_skus_in_nfc'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='order',
            options={'ordering': ('-placed_at', '-id'), 'permissions': (('cancel_order', 'Can cancel an order'), ('refund_order', 'Can give back money of an order'), ('dispatch_order', 'Can dispatch an order'), ('receive_return', 'Can receive a returned parcel'))},
        ),
        migrations.CreateModel(
            name='OrderChange',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('kind', models.TextField(choices=[('dispatch', 'dispatch'), ('cancel', 'cancel'), ('refund', 'refund'), ('return', 'return')])),
                ('lines', models.JSONField(help_text='List of sku and quantity: the units that it moves or gives money back for.')),
                ('amount_minor', models.BigIntegerField(help_text='Money that it gives back, in minor units of the currency.')),
                ('state', models.TextField(choices=[('open', 'Open'), ('closed', 'Closed'), ('dropped', 'Dropped'), ('superseded', 'Superseded')], default='open')),
                ('fence', models.BigIntegerField(help_text='Fencing token of the lock on the order.')),
                ('requested_by', models.TextField(help_text='“customer”, or the user name of the member of staff.')),
                ('reason', models.TextField()),
                ('opened_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ('-id',),
            },
        ),
        migrations.CreateModel(
            name='ReturnRequest',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('lines', models.JSONField(help_text='List of sku and quantity.')),
                ('reason', models.TextField()),
                ('requested_by', models.TextField(help_text='“customer”, or the user name of the member of staff.')),
                ('idempotency_key', models.TextField()),
                ('request_hash', models.TextField(help_text='Of the body that the key came with.')),
                ('state', models.TextField(choices=[('requested', 'Requested'), ('received', 'Received'), ('refused', 'Refused')], default='requested')),
                ('requested_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('expires_at', models.DateTimeField(help_text='Last moment at which the parcel may be received.')),
            ],
            options={
                'ordering': ('-id',),
            },
        ),
        migrations.RemoveConstraint(
            model_name='order',
            name='order_status_is_known',
        ),
        migrations.AddField(
            model_name='order',
            name='refunded_minor',
            field=models.BigIntegerField(db_default=0, help_text='Given back or being given back, in minor units of the currency.'),
        ),
        migrations.AddField(
            model_name='orderline',
            name='dispatched',
            field=models.SmallIntegerField(db_default=0, help_text='Units handed over, or being handed over.'),
        ),
        migrations.AddField(
            model_name='orderline',
            name='returned',
            field=models.SmallIntegerField(db_default=0, help_text='Units taken back, or being taken back.'),
        ),
        migrations.AlterField(
            model_name='order',
            name='status',
            field=models.TextField(choices=[('confirmed', 'Confirmed'), ('partly_dispatched', 'Partly Dispatched'), ('dispatched', 'Dispatched'), ('cancelled', 'Cancelled')]),
        ),
        AddConstraintNotValid(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ('confirmed', 'partly_dispatched', 'dispatched', 'cancelled'))), name='order_status_is_known'),
        ),
        AddConstraintNotValid(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('refunded_minor__gte', 0), ('refunded_minor__lte', models.F('total_minor'))), name='order_not_over_refunded'),
        ),
        AddConstraintNotValid(
            model_name='orderline',
            constraint=models.CheckConstraint(condition=models.Q(('dispatched__gte', 0), ('dispatched__lte', models.F('quantity'))), name='order_line_not_over_dispatched'),
        ),
        AddConstraintNotValid(
            model_name='orderline',
            constraint=models.CheckConstraint(condition=models.Q(('returned__gte', 0), ('returned__lte', models.F('dispatched'))), name='order_line_not_over_returned'),
        ),
        migrations.AddField(
            model_name='orderchange',
            name='order',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='changes', to='orders.order'),
        ),
        migrations.AddField(
            model_name='returnrequest',
            name='order',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='return_requests', to='orders.order'),
        ),
        migrations.AddField(
            model_name='orderchange',
            name='return_request',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to='orders.returnrequest'),
        ),
        migrations.AddConstraint(
            model_name='returnrequest',
            constraint=models.UniqueConstraint(fields=('order', 'requested_by', 'idempotency_key'), name='return_requested_once_per_key'),
        ),
        migrations.AddConstraint(
            model_name='returnrequest',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ('requested', 'received', 'refused'))), name='return_request_state_is_known'),
        ),
        migrations.AddConstraint(
            model_name='orderchange',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('order',), name='order_one_open_change'),
        ),
        migrations.AddConstraint(
            model_name='orderchange',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ('dispatch', 'cancel', 'refund', 'return'))), name='order_change_kind_is_known'),
        ),
        migrations.AddConstraint(
            model_name='orderchange',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ('open', 'closed', 'dropped', 'superseded'))), name='order_change_state_is_known'),
        ),
        migrations.AddConstraint(
            model_name='orderchange',
            constraint=models.CheckConstraint(condition=models.Q(('amount_minor__gte', 0)), name='order_change_amount_not_negative'),
        ),
    ]
