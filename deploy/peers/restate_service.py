"""The order as a Restate service: every step is a journaled `run`, and the handler itself calls the compensations."""

from collections.abc import Callable

import restate
from restate.exceptions import TerminalError

from deploy.peers import work

Step = Callable[[work.Order], None]

orders = restate.Service("Orders")


@orders.handler()
async def place(ctx: restate.Context, order: work.Order) -> None:
    """Place one order, or undo it."""
    undo: list[Step] = []
    try:
        undo.append(_cancel)
        await ctx.run_typed("create", _create, order=order)
        undo.append(_release)
        await ctx.run_typed("reserve", _reserve, order=order)
        await ctx.run_typed("pay", _pay, order=order)
        await ctx.run_typed("ship", _ship, order=order)
        await ctx.run_typed("confirm", _confirm, order=order)
    except TerminalError:
        for step in reversed(undo):
            await ctx.run_typed(step.__name__, step, order=order)
        work.record(order["id"], work.COMPENSATED)
        return
    work.record(order["id"], work.COMPLETED)


def _create(order: work.Order) -> None:
    work.create_order(order)


def _reserve(order: work.Order) -> None:
    work.reserve_stock(order)


def _pay(order: work.Order) -> None:
    try:
        work.take_payment(order)
    except work.Declined as error:
        raise TerminalError("declined") from error


def _ship(order: work.Order) -> None:
    work.create_shipment(order)


def _confirm(order: work.Order) -> None:
    work.confirm_order(order)


def _release(order: work.Order) -> None:
    work.release_stock(order)


def _cancel(order: work.Order) -> None:
    work.cancel_order(order)


app = restate.app(services=[orders])
