"""Customers are Django's users; their table has no index on the address."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("orchestration", "0004_what_goes_wrong"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.RunSQL(
            'CREATE INDEX "customer_by_email" ON "auth_user" (UPPER("email"::text))',
            'DROP INDEX "customer_by_email"',
        ),
    ]
