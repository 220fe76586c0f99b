from django.db import migrations, models

NAME = "saga_is_retried_once"


class Migration(migrations.Migration):
    """A saga is tried again by one successor. Rows are written while the index is built."""

    atomic = False

    dependencies = [("orchestration", "0019_deadlocks_checked")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    f"CREATE UNIQUE INDEX CONCURRENTLY {NAME} ON orchestration_sagainstance (retry_of) "
                    "WHERE retry_of IS NOT NULL",
                    f"DROP INDEX CONCURRENTLY {NAME}",
                )
            ],
            state_operations=[
                migrations.AddConstraint(
                    model_name="sagainstance",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("retry_of__isnull", False)), fields=("retry_of",), name=NAME
                    ),
                )
            ],
        ),
    ]
