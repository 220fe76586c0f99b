import unicodedata
from typing import Any

from django.db import migrations


def normalise(apps: Any, schema_editor: Any) -> None:
    """Give each product its SKU in Unicode's form NFC.

    A product whose NFC form is another product's SKU stays, and is printed: it cannot be bought any more.
    """
    products = apps.get_model("orders", "Product").objects.using(schema_editor.connection.alias)
    skus = set(products.values_list("sku", flat=True))
    for sku in sorted(skus):
        normal = unicodedata.normalize("NFC", sku)
        if normal == sku:
            continue
        if normal in skus:
            print(f"orders: the product {ascii(sku)} stays beside {ascii(normal)}, and can no longer be bought")
            continue
        skus.add(normal)
        products.filter(sku=sku).update(sku=normal)


class Migration(migrations.Migration):
    dependencies = [("orders", "0002_amounts_beyond_two_thousand_million")]

    operations = [migrations.RunPython(normalise, migrations.RunPython.noop)]
