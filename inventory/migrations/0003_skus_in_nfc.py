import unicodedata
from typing import Any

from django.db import migrations


def normalise(apps: Any, schema_editor: Any) -> None:
    """Give each stock row its SKU in Unicode's form NFC, with what refers to it.

    A row whose NFC form is another row's SKU stays, and is printed: its units can be released, but not bought.

    Foreign keys are checked at the end of the transaction.
    """
    alias = schema_editor.connection.alias
    stock = apps.get_model("inventory", "Stock").objects.using(alias)
    skus = set(stock.values_list("sku", flat=True))
    for sku in sorted(skus):
        normal = unicodedata.normalize("NFC", sku)
        if normal == sku:
            continue
        if normal in skus:
            print(f"inventory: the stock row {ascii(sku)} stays beside {ascii(normal)}; receive its units there")
            continue
        skus.add(normal)
        stock.filter(sku=sku).update(sku=normal)
        for name in ("Reservation", "Movement"):
            apps.get_model("inventory", name).objects.using(alias).filter(stock_id=sku).update(stock_id=normal)


class Migration(migrations.Migration):
    dependencies = [("inventory", "0002_movement_by_saga")]

    operations = [migrations.RunPython(normalise, migrations.RunPython.noop)]
