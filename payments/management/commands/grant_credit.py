"""`manage.py grant_credit CUSTOMER AMOUNT CURRENCY --as ACCOUNT --reason TEXT`: grant a customer store credit."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from orchestration.db import clocks
from orchestration.management.arguments import add_reason
from orchestration.management.exit_codes import Exit
from orchestration.management.login import add_login, logged_in
from orchestration.participant.amounts import currency_code, minor_units
from payments.wallets import WalletFull, credit_of, grant_credit


class Command(BaseCommand):
    help = "Grant a customer store credit, in minor units of the currency. The same --id again grants nothing more."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("customer", help="the customer's id")
        parser.add_argument("amount", type=minor_units)
        parser.add_argument("currency", type=currency_code)
        add_reason(parser)
        add_login(parser, required=True)
        parser.add_argument("--id", type=UUID, help="a UUID of your own for this grant")

    def handle(self, *args: Any, customer: str, amount: int, currency: str, **options: Any) -> None:
        actor = logged_in(options, may=lambda user: user.has_perm("payments.grant_credit"))
        grant_id = options["id"] or clocks.new_id(clocks.now())
        why = {"by": actor.name, "reason": options["reason"]}
        try:
            grant_credit(grant_id=grant_id, customer_id=customer, currency=currency, amount_minor=amount, **why)
        except WalletFull as refusal:
            raise CommandError(WalletFull.__doc__, returncode=Exit.REFUSED) from refusal
        balance = credit_of(customer).get(currency, 0)
        self.stdout.write(f"customer {customer} has {balance} {currency} of store credit (grant {grant_id})")
