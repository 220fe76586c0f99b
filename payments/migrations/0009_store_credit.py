"""Store credit: wallets, their movements, and what orders were paid from them."""

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0008_old_amounts_are_checked'),
    ]

    operations = [
        migrations.CreateModel(
            name='Wallet',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('customer_id', models.TextField()),
                ('currency', models.CharField(help_text='ISO 4217 code.', max_length=3)),
                ('balance_minor', models.BigIntegerField(db_default=0, help_text='What can be spent now, in minor units of the currency.')),
                ('incoming_minor', models.BigIntegerField(db_default=0, help_text='Announced by transfers that are under way. It cannot be spent yet.')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'ordering': ('-id',),
                'permissions': (('grant_credit', 'Can grant store credit'), ('transfer_credit', 'Can transfer store credit')),
                'constraints': [models.UniqueConstraint(fields=('customer_id', 'currency'), name='wallet_one_per_customer_and_currency'), models.CheckConstraint(condition=models.Q(('currency__regex', '^[A-Z]{3}$')), name='wallet_currency_is_iso_4217'), models.CheckConstraint(condition=models.Q(('balance_minor__gte', 0)), name='wallet_not_overdrawn'), models.CheckConstraint(condition=models.Q(('incoming_minor__gte', 0)), name='wallet_incoming_not_negative'), models.CheckConstraint(condition=models.Q(('balance_minor__lte', django.db.models.expressions.CombinedExpression(models.Value(9007199254740991), '-', models.F('incoming_minor')))), name='wallet_exact_in_json')],
            },
        ),
        migrations.CreateModel(
            name='CreditPayment',
            fields=[
                ('saga_id', models.UUIDField(primary_key=True, serialize=False)),
                ('order_id', models.UUIDField()),
                ('amount_minor', models.BigIntegerField(help_text="In minor units of the wallet's currency.")),
                ('refunded_minor', models.BigIntegerField(db_default=0, help_text='Given back to the wallet for changes of the order.')),
                ('state', models.TextField(choices=[('spent', 'Spent'), ('returned', 'Returned')], default='spent')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('wallet', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='payments.wallet')),
            ],
            options={
                'ordering': ('-saga_id',),
                'constraints': [models.CheckConstraint(condition=models.Q(('amount_minor__gt', 0)), name='credit_payment_amount_positive'), models.CheckConstraint(condition=models.Q(('state__in', ('spent', 'returned'))), name='credit_payment_state_is_known'), models.CheckConstraint(condition=models.Q(('refunded_minor__gte', 0), ('refunded_minor__lte', models.F('amount_minor'))), name='credit_payment_not_over_refunded'), models.CheckConstraint(condition=models.Q(('state', 'spent'), ('refunded_minor', 0), _connector='OR'), name='credit_payment_returned_or_refunded')],
            },
        ),
        migrations.CreateModel(
            name='WalletMovement',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('kind', models.TextField(choices=[('granted', 'Granted'), ('spent', 'Spent'), ('returned', 'Returned'), ('refunded', 'Refunded'), ('transferred_out', 'Transferred Out'), ('transferred_in', 'Transferred In')])),
                ('amount_minor', models.BigIntegerField(help_text='Negative when the wallet pays, in minor units of the currency.')),
                ('saga_id', models.UUIDField(help_text='The saga that moved it; of a grant, the id of the grant.')),
                ('step', models.TextField()),
                ('by', models.TextField(blank=True, default='', help_text='The member of staff who asked for it.')),
                ('reason', models.TextField(blank=True, default='')),
                ('moved_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('wallet', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='movements', to='payments.wallet')),
            ],
            options={
                'ordering': ('-id',),
                'constraints': [models.UniqueConstraint(fields=('saga_id', 'step', 'kind'), name='wallet_moved_once_per_step'), models.CheckConstraint(condition=models.Q(models.Q(('amount_minor__lt', 0), ('kind__in', ('spent', 'transferred_out'))), models.Q(('amount_minor__gt', 0), ('kind__in', ('granted', 'returned', 'refunded', 'transferred_in'))), _connector='OR'), name='wallet_movement_has_the_sign_of_its_kind')],
            },
        ),
    ]
