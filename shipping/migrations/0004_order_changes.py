import django.db.models.functions.datetime
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    """Existing rows are checked by the next migration, so that no order waits for it."""

    dependencies = [
        ('shipping', '0003_ledger_statuses_are_checked'),
    ]

    operations = [
        migrations.CreateModel(
            name='Dispatch',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('saga_id', models.UUIDField(help_text='The change that dispatched them.')),
                ('checkout_id', models.UUIDField(db_index=True, help_text='The saga that placed the order.')),
                ('order_id', models.UUIDField()),
                ('tracking_number', models.TextField()),
                ('is_booked', models.BooleanField(help_text='Whether this is the parcel that the checkout booked.')),
                ('lines', models.JSONField(help_text='SKUs and units.')),
                ('handed_over_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "verbose_name_plural": "dispatches", "indexes": [models.Index(fields=["tracking_number"], name="dispatch_by_tracking_number")],
            },
        ),
        migrations.RemoveConstraint(
            model_name='shipment',
            name='shipment_status_is_known',
        ),
        migrations.AddField(
            model_name='shipment',
            name='stopped_by',
            field=models.UUIDField(blank=True, help_text='The change that cancels the order.', null=True),
        ),
        migrations.AlterField(
            model_name='shipment',
            name='status',
            field=models.TextField(choices=[('booked', 'Booked'), ('handed_over', 'Handed Over'), ('stopped', 'Stopped'), ('cancelled', 'Cancelled')]),
        ),
        AddConstraintNotValid(
            model_name='shipment',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ('booked', 'handed_over', 'stopped', 'cancelled'))), name='shipment_status_is_known'),
        ),
        AddConstraintNotValid(
            model_name='shipment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status__in', ('booked', 'handed_over')), ('stopped_by', None)), models.Q(('status', 'stopped'), ('stopped_by__isnull', False)), ('status', 'cancelled'), _connector='OR'), name='shipment_stopped_by_a_change'),
        ),
        migrations.AddConstraint(
            model_name='dispatch',
            constraint=models.UniqueConstraint(fields=('saga_id',), name='dispatch_one_per_saga'),
        ),
        migrations.AddConstraint(
            model_name='dispatch',
            constraint=models.UniqueConstraint(condition=models.Q(('is_booked', False)), fields=('tracking_number',), name='dispatch_number_belongs_to_one_parcel'),
        ),
    ]
