"""Coupons and their uses."""

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0007_ledger_statuses_are_checked'),
    ]

    operations = [
        migrations.CreateModel(
            name='Coupon',
            fields=[
                ('code', models.CharField(max_length=40, primary_key=True, serialize=False, validators=[django.core.validators.RegexValidator('^[A-Z0-9-]{3,40}\\Z', '3 to 40 of the characters A–Z, 0–9 and “-”.')])),
                ('kind', models.CharField(choices=[('percent', 'Percent'), ('amount', 'Amount')], max_length=7)),
                ('value', models.BigIntegerField(help_text='Percent of the cart, 1 to 100; or an amount in minor units of the currency.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(9007199254740991)])),
                ('currency', models.CharField(blank=True, default='', help_text='ISO 4217 code of an amount. Empty for a percentage, which applies to every currency.', max_length=3)),
                ('expires_at', models.DateTimeField(blank=True, help_text='Orders requested from then on cannot use it.', null=True)),
                ('uses', models.PositiveIntegerField(help_text='How often it can be used, by all customers together.')),
                ('used', models.PositiveIntegerField(db_default=0, editable=False)),
                ('once_per_customer', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
            options={
                'ordering': ('code',),
                'constraints': [models.CheckConstraint(condition=models.Q(('code__regex', '^[A-Z0-9-]{3,40}$')), name='coupon_code_is_plain'), models.CheckConstraint(condition=models.Q(('used__lte', models.F('uses'))), name='coupon_not_overused', violation_error_message='It was used more often already.'), models.CheckConstraint(condition=models.Q(models.Q(('currency', ''), ('kind', 'percent'), ('value__gte', 1), ('value__lte', 100)), models.Q(('currency__regex', '^[A-Z]{3}$'), ('kind', 'amount'), ('value__gte', 1), ('value__lte', 9007199254740991)), _connector='OR'), name='coupon_is_a_percentage_or_an_amount')],
            },
        ),
        migrations.CreateModel(
            name='CouponUse',
            fields=[
                ('saga_id', models.UUIDField(primary_key=True, serialize=False)),
                ('customer_id', models.TextField()),
                ('order_id', models.UUIDField()),
                ('state', models.TextField(choices=[('used', 'Used'), ('returned', 'Returned'), ('given_back', 'Given Back')], default='used')),
                ('once', models.BooleanField(help_text='The customer may have only one such use at a time.')),
                ('used_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('coupon', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='orders.coupon')),
            ],
            options={
                'ordering': ('-used_at',),
                'indexes': [models.Index(fields=['coupon', 'customer_id'], name='coupon_use_of_customer')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('once', True), ('state', 'used')), fields=('coupon', 'customer_id'), name='coupon_used_once_per_customer'), models.CheckConstraint(condition=models.Q(('state__in', ('used', 'returned', 'given_back'))), name='coupon_use_state_is_known')],
            },
        ),
    ]
