"""Tables of semantic locks, and the ledger status *waiting*. The next migration checks the ledger's rows."""

import django.db.models.functions.datetime
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0002_find_by_reference'),
    ]

    operations = [
        migrations.RunSQL('CREATE SEQUENCE payments_fence', 'DROP SEQUENCE payments_fence'),
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
        migrations.CreateModel(
            name='Hold',
            fields=[
                ('resource', models.TextField(primary_key=True, serialize=False)),
                ('saga_id', models.UUIDField()),
                ('step', models.TextField()),
                ('fence', models.BigIntegerField(help_text='Fencing token of the lock. It grows over all resources of the service.')),
                ('since', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('turn', models.BigIntegerField(help_text='The turn that it was handed to. Empty: it was free.', null=True)),
            ],
            options={
                'verbose_name': 'lock',
                'ordering': ('since', 'resource'),
            },
        ),
        migrations.CreateModel(
            name='Turn',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('resource', models.TextField()),
                ('saga_id', models.UUIDField()),
                ('step', models.TextField()),
                ('since', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text="The saga's patience counts from here.")),
            ],
            options={
                'verbose_name': 'waiting saga',
                'ordering': ('resource', 'id'),
            },
        ),
        migrations.RemoveConstraint(
            model_name='ledger',
            name='payments_ledger_status_is_known',
        ),
        migrations.AlterField(
            model_name='ledger',
            name='status',
            field=models.TextField(choices=[('waiting', 'Waiting'), ('started', 'Started'), ('done', 'Done'), ('refused', 'Refused'), ('barred', 'Barred'), ('undoing', 'Undoing'), ('undone', 'Undone')]),
        ),
        AddConstraintNotValid(
            model_name='ledger',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['waiting', 'started', 'done', 'refused', 'barred', 'undoing', 'undone'])), name='payments_ledger_status_is_known'),
        ),
        migrations.AddConstraint(
            model_name='hold',
            constraint=models.CheckConstraint(condition=models.Q(('resource__regex', '^(?=.{3,200}$)[^:]+:.')), name='payments_hold_names_its_resource'),
        ),
        migrations.AddIndex(
            model_name='turn',
            index=models.Index(fields=['resource', 'id'], name='payments_turn_of_resource'),
        ),
        migrations.AddConstraint(
            model_name='turn',
            constraint=models.UniqueConstraint(fields=('saga_id', 'step'), name='payments_turn_one_per_step'),
        ),
    ]
