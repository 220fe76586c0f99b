"""What each order buys, for how much, and where it goes: pure."""

from dataclasses import dataclass

from deploy.bench.instant import DECLINED
from orchestration.contracts.values import Address

ACCEPTED = "tok_ok"
PRICE_MINOR = 1999
CURRENCY = "GBP"
ADDRESS = Address("A. Buyer", "1 High Street", "Leeds", "LS1 1AA", "GB")


@dataclass(frozen=True)
class Baskets:
    """One unit of one SKU an order, of so many SKUs in turn; one card in so many is declined (0: none)."""

    skus: int = 1000
    declined_every: int = 0

    def sku(self, number: int) -> str:
        """Give what order `number` buys."""
        return f"BENCH-{number % self.skus:04}"

    def card(self, number: int) -> str:
        """Give what order `number` is paid with."""
        return DECLINED if self.declined_every and number % self.declined_every == 0 else ACCEPTED

    def every_sku(self) -> list[str]:
        """List what is bought."""
        return [self.sku(number) for number in range(self.skus)]
