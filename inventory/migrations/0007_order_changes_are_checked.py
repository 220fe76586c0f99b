from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models


class Migration(migrations.Migration):
    """Reads whole tables while orders go on."""

    atomic = False

    dependencies = [("inventory", "0006_order_changes")]

    operations = [
        ValidateConstraint("movement", "movement_kind_is_known"),
        ValidateConstraint("reservation", "reservation_not_over_consumed"),
        ValidateConstraint("reservation", "reservation_not_over_returned"),
        AddIndexConcurrently(
            model_name="movement",
            index=models.Index(
                condition=models.Q(("change_id__isnull", False)), fields=["change_id"], name="movement_by_change"
            ),
        ),
    ]
