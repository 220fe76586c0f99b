"""Prices of more than 2,147,483,647 minor units.

PostgreSQL writes the order lines anew, and locks them for as long: about a second for each million. Orders are accepted
meanwhile, since that reads the catalogue alone, which is locked last and for an instant; `place_order` is tried again.
"""

from django.core.validators import MaxValueValidator
from django.db import migrations, models

LARGEST_AMOUNT_MINOR = 2**53 - 1


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial")]

    operations = [
        migrations.AlterField(
            "orderline",
            "unit_price_minor",
            models.BigIntegerField(help_text="In minor units of the order's currency."),
        ),
        migrations.AlterField(
            "product",
            "price_minor",
            models.BigIntegerField(
                help_text="Price of one unit in minor units of the currency.",
                validators=[MaxValueValidator(LARGEST_AMOUNT_MINOR)],
            ),
        ),
        migrations.AddConstraint(
            "product",
            models.CheckConstraint(
                condition=models.Q(price_minor__lte=LARGEST_AMOUNT_MINOR), name="product_price_exact_in_json"
            ),
        ),
    ]
