from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    """Rows are read and written while these checks of all rows run."""

    dependencies = [("orchestration", "0015_lock_waits")]

    operations = [
        ValidateConstraint(model_name="sagainstance", name="saga_waits_only_while_running"),
        ValidateConstraint(model_name="sagalogentry", name="saga_log_kind_is_known"),
    ]
