from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Batches are listed in pages, however many there are; what is asked for meanwhile is not held up."""

    atomic = False

    dependencies = [("orchestration", "0010_batch_members_are_given_up")]

    operations = [
        migrations.AlterModelOptions(
            name="batch",
            options={
                "ordering": ("-asked_at", "-id"),
                "permissions": (
                    ("approve_batch", "Can approve a batch that moves money"),
                    ("stop_batch", "Can stop a batch"),
                ),
                "verbose_name_plural": "batches",
            },
        ),
        AddIndexConcurrently(
            model_name="batch",
            index=models.Index(fields=["-asked_at", "-id"], name="batch_newest_first"),
        ),
    ]
