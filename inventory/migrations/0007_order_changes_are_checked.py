from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    """Reads whole tables while orders go on."""

    dependencies = [("inventory", "0006_order_changes")]

    operations = [
        ValidateConstraint("movement", "movement_kind_is_known"),
        ValidateConstraint("reservation", "reservation_not_over_consumed"),
        ValidateConstraint("reservation", "reservation_not_over_returned"),
    ]
