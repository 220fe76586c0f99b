from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """The sagas that wait for one saga are found by it."""

    atomic = False

    dependencies = [("orchestration", "0016_lock_waits_checked")]

    operations = [
        AddIndexConcurrently(
            model_name="sagainstance",
            index=models.Index(
                condition=models.Q(("waits_for__isnull", False)), fields=["waits_for"], name="saga_waits_for"
            ),
        ),
    ]
