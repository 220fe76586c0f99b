"""`manage.py transfer_credit FROM TO AMOUNT CURRENCY --as ACCOUNT --reason TEXT`: move store credit."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orchestration.contracts.store_credit import TransferRequested
from orchestration.db import clocks
from orchestration.engine import engine
from orchestration.management.arguments import add_reason, add_wait
from orchestration.management.exit_codes import Exit
from orchestration.management.login import add_login, logged_in
from orchestration.management.saga_end import wait_for_end
from orchestration.operators.actions.permissions import TRANSFER_CREDIT
from orchestration.participant.amounts import currency_code, minor_units
from orchestration.sagas.transfer_credit import transfer_credit


class Command(BaseCommand):
    help = (
        "Start a saga that moves store credit from one customer to another, in minor units of the currency, and print "
        "its id. The saga may still refuse the transfer: --wait waits for its end (exit code 4: it was undone, 6: not "
        "ended in time). The same --key again starts nothing more."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", metavar="FROM", help="the id of the customer who pays")
        parser.add_argument("target", metavar="TO", help="the id of the customer who receives")
        parser.add_argument("amount", type=minor_units)
        parser.add_argument("currency", type=currency_code)
        add_reason(parser)
        add_login(parser, required=True)
        add_wait(parser)
        parser.add_argument("--key", default="", help="a text of your own that stands for this transfer")

    def handle(self, *args: Any, source: str, target: str, amount: int, currency: str, **options: Any) -> None:
        if source == target:
            raise CommandError("FROM and TO are the same customer", returncode=Exit.USAGE)
        actor = logged_in(options, may=lambda user: user.has_perm(TRANSFER_CREDIT))
        asked = TransferRequested.between(
            source, target, amount, currency, requested_by=actor.name, reason=options["reason"]
        )
        now = clocks.now()
        saga_id = clocks.new_id(now)
        digest = f"{target} {amount} {currency}"
        origin = engine.Origin(source, f"transfer\N{MIDDLE DOT}{options['key'] or saga_id}", digest)
        try:
            started = engine.start_saga(transfer_credit, asked, saga_id=saga_id, origin=origin, now=now)
        except engine.KeyReused as error:
            raise CommandError("the key stands for another transfer", returncode=Exit.REFUSED) from error
        self.stdout.write(str(started.saga_id))
        if options["wait"]:
            wait_for_end(started.saga_id, options["wait"])
