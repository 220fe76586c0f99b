from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    """Existing rows are checked by the next migration, so that no order waits for it."""

    dependencies = [
        ('inventory', '0005_ledger_statuses_are_checked'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='movement',
            name='movement_kind_is_known',
        ),
        migrations.AddField(
            model_name='movement',
            name='change_id',
            field=models.UUIDField(blank=True, help_text='The change of the order that moved them, if one did.', null=True),
        ),
        migrations.AddField(
            model_name='reservation',
            name='consumed',
            field=models.BigIntegerField(db_default=0, help_text='Units of them that have left the warehouse.'),
        ),
        migrations.AddField(
            model_name='reservation',
            name='returned',
            field=models.BigIntegerField(db_default=0, help_text='Consumed units that came back.'),
        ),
        migrations.AlterField(
            model_name='movement',
            name='kind',
            field=models.TextField(choices=[('received', 'Received'), ('reserved', 'Reserved'), ('released', 'Released'), ('consumed', 'Consumed'), ('returned', 'Returned')]),
        ),
        migrations.AlterField(
            model_name='movement',
            name='saga_id',
            field=models.UUIDField(blank=True, help_text='The checkout whose units these are, if one has them.', null=True),
        ),
        AddConstraintNotValid(
            model_name='movement',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ('received', 'reserved', 'released', 'consumed', 'returned'))), name='movement_kind_is_known'),
        ),
        AddConstraintNotValid(
            model_name='reservation',
            constraint=models.CheckConstraint(condition=models.Q(('consumed__gte', 0), ('consumed__lte', models.F('quantity'))), name='reservation_not_over_consumed'),
        ),
        AddConstraintNotValid(
            model_name='reservation',
            constraint=models.CheckConstraint(condition=models.Q(('returned__gte', 0), ('returned__lte', models.F('consumed'))), name='reservation_not_over_returned'),
        ),
    ]
