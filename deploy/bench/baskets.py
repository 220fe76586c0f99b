"""The contents, the card and the price of each order: pure."""

from dataclasses import dataclass

from deploy.bench.instant import DECLINED
from orchestration.contracts.values import Address

ACCEPTED = "tok_ok"
PRICE_MINOR = 1999
CURRENCY = "GBP"
ADDRESS = Address("A. Buyer", "1 High Street", "Leeds", "LS1 1AA", "GB")


@dataclass(frozen=True)
class Baskets:
    """Orders of one unit of one SKU; the SKUs take turns. One card in `declined_every` is declined (0: none)."""

    skus: int = 1000
    declined_every: int = 0

    def sku(self, number: int) -> str:
        """Return the SKU that order `number` buys."""
        return f"BENCH-{number % self.skus:04}"

    def card(self, number: int) -> str:
        """Return the payment method of order `number`."""
        return DECLINED if self.declined_every and number % self.declined_every == 0 else ACCEPTED

    def every_sku(self) -> list[str]:
        """List every SKU that orders buy."""
        return [self.sku(number) for number in range(self.skus)]
