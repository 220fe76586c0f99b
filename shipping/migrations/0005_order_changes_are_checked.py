from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    """Reads a whole table while orders go on."""

    dependencies = [("shipping", "0004_order_changes")]

    operations = [
        ValidateConstraint("shipment", "shipment_status_is_known"),
        ValidateConstraint("shipment", "shipment_stopped_by_a_change"),
    ]
