from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """The periodic audit asks for a few sagas' movements; a shop that sells meanwhile is not held up."""

    atomic = False

    dependencies = [("inventory", "0001_initial")]

    operations = [
        AddIndexConcurrently(
            model_name="movement",
            index=models.Index(
                condition=models.Q(("saga_id__isnull", False)), fields=["saga_id"], name="movement_by_saga"
            ),
        ),
    ]
