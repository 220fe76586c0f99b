from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """A form or request that is sent twice makes one batch; code that knows no keys writes none."""

    dependencies = [("orchestration", "0012_machinery_log")]

    operations = [
        migrations.AddField(model_name="batch", name="idempotency_key", field=models.TextField(null=True)),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.UniqueConstraint(
                fields=("user_id", "idempotency_key"), name="batch_one_per_user_and_idempotency_key"
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=Q(idempotency_key=None) | Q(user_id__isnull=False), name="batch_key_is_of_an_account"
            ),
        ),
    ]
