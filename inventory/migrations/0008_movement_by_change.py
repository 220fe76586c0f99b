from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Orders go on while the index is built."""

    atomic = False

    dependencies = [("inventory", "0007_order_changes_are_checked")]

    operations = [
        AddIndexConcurrently(
            model_name="movement",
            index=models.Index(
                condition=models.Q(("change_id__isnull", False)), fields=["change_id"], name="movement_by_change"
            ),
        ),
    ]
