"""Orders with a discount or store credit, or without a card or a parcel. The next migration checks old orders."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0008_coupons'),
    ]

    operations = [
        migrations.AddField(
            model_name='order',
            name='coupon',
            field=models.TextField(blank=True, default=''),
        ),
        migrations.AddField(
            model_name='order',
            name='credit_minor',
            field=models.BigIntegerField(default=0, help_text='The part of the total that store credit paid.'),
        ),
        migrations.AddField(
            model_name='order',
            name='discount_minor',
            field=models.BigIntegerField(default=0, help_text='What the coupon took off the lines.'),
        ),
        migrations.AddField(
            model_name='product',
            name='ships',
            field=models.BooleanField(db_default=True, default=True, help_text='Whether it is sent in a parcel.'),
        ),
        migrations.RunSQL(  # for workers of the code before this migration
            'ALTER TABLE orders_order ALTER discount_minor SET DEFAULT 0, ALTER credit_minor SET DEFAULT 0, '
            "ALTER coupon SET DEFAULT ''",
            migrations.RunSQL.noop,
        ),
        migrations.AlterField(
            model_name='order',
            name='authorisation_id',
            field=models.TextField(blank=True, help_text='Empty when nothing was paid by card.'),
        ),
        migrations.AlterField(
            model_name='order',
            name='shipping_address',
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='order',
            name='total_minor',
            field=models.BigIntegerField(help_text='What was to be paid, in minor units of the currency: the lines less the discount.'),
        ),
        migrations.AlterField(
            model_name='order',
            name='tracking_number',
            field=models.TextField(blank=True, help_text='Empty when nothing was shipped.'),
        ),
        AddConstraintNotValid(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('discount_minor__gte', 0)), name='order_discount_not_negative'),
        ),
        AddConstraintNotValid(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('credit_minor__gte', 0), ('credit_minor__lte', models.F('total_minor'))), name='order_credit_within_total'),
        ),
    ]
