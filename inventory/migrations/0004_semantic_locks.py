"""The guard of other services' locks, and the ledger status *waiting*. The next migration checks the ledger's rows."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0003_skus_in_nfc'),
    ]

    operations = [
        migrations.CreateModel(
            name='Guard',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('resource', models.TextField(unique=True)),
                ('fence', models.BigIntegerField(help_text='It only grows.')),
            ],
            options={
                'verbose_name': 'guard',
            },
        ),
        migrations.RemoveConstraint(
            model_name='ledger',
            name='inventory_ledger_status_is_known',
        ),
        migrations.AlterField(
            model_name='ledger',
            name='status',
            field=models.TextField(choices=[('waiting', 'Waiting'), ('started', 'Started'), ('done', 'Done'), ('refused', 'Refused'), ('barred', 'Barred'), ('undoing', 'Undoing'), ('undone', 'Undone')]),
        ),
        AddConstraintNotValid(
            model_name='ledger',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['waiting', 'started', 'done', 'refused', 'barred', 'undoing', 'undone'])), name='inventory_ledger_status_is_known'),
        ),
    ]
