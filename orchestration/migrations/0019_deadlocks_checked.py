from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    """Rows are read and written while this check of all rows runs."""

    dependencies = [("orchestration", "0018_deadlocks")]

    operations = [ValidateConstraint(model_name="sagalogentry", name="saga_log_kind_is_known")]
