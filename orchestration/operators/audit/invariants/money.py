"""Compares the amounts of orders, payments and the gateway (Q4, Q5)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from uuid import UUID

from orchestration.contracts.audit import CreditFacts, GatewayAccount, MoneyBackFacts, PaymentFacts
from orchestration.contracts.payments import authorise_payment
from orchestration.operators.audit.findings import Findings
from orchestration.operators.audit.snapshot import Accounts, Books
from orchestration.text.formatting import money


def check_totals(books: Books, findings: Findings) -> None:
    """Check Q5 for every order."""
    for saga_id, order in books.services.orders.items():
        findings.look_at("Q5")
        for fault in _total_faults(saga_id, books):
            message = f"The order's total is {money(order.total_minor, order.currency)}, {fault}."
            findings.violated("Q5", message, saga=saga_id, order=order.id)


def check_gateway(books: Books, accounts: Accounts, findings: Findings) -> None:
    """Check Q4: compare the gateway's books with ours, without sagas that may still change them."""
    if books.are_whole:
        _check_sums(books, accounts, findings)
    for saga_id in accounts.keys() | books.services.payments.keys():
        of_saga = accounts.get(saga_id, [])
        if saga_id and books.has_ended(saga_id):
            findings.look_at("Q4")
            for fault in _differences(of_saga, books.services.payments.get(saga_id)):
                findings.violated("Q4", fault, saga=saga_id, step=authorise_payment.step)
        if not books.is_unfinished(saga_id):
            _check_closed(saga_id, of_saga, findings)


def _total_faults(saga_id: UUID, books: Books) -> Iterator[str]:
    order, saga = books.services.orders[saga_id], books.saga(saga_id)
    if order.total_minor + order.discount_minor != (order.lines_minor or 0):
        less = f", less a discount of {money(order.discount_minor, order.currency)}" if order.discount_minor else ""
        yield f"its lines add up to {money(order.lines_minor or 0, order.currency)}{less}"
    if saga and (order.total_minor, order.currency) != (saga.total_minor, saga.currency):
        asked = money(saga.total_minor, saga.currency) if saga.total_minor is not None and saga.currency else "none"
        yield f"the saga asked for {asked}"
    if not books.has_ended(saga_id):
        return
    card_minor = order.total_minor - order.credit_minor
    payment, credit = books.services.payments.get(saga_id), books.services.of(CreditFacts).get(saga_id)
    if payment and (card_minor, order.currency) != (payment.amount_minor, payment.currency):
        yield f"its payment is of {money(payment.amount_minor, payment.currency)}"
    if order.credit_minor != (paid := credit.amount_minor if credit else 0):
        amounts = money(order.credit_minor, order.currency), money(paid, order.currency)
        yield f"store credit was to pay {amounts[0]}, and paid {amounts[1]}"
    captured = Counter[str]()
    for account in (books.accounts or {}).get(saga_id, ()):
        captured[account.currency] += account.captured_minor
    if books.accounts is not None and captured != Counter({order.currency: card_minor}):
        yield f"the gateway captured {_sums_said(captured)}"


def _check_sums(books: Books, accounts: Accounts, findings: Findings) -> None:
    kept, due_by_currency = Counter[str](), Counter[str]()
    for saga_id, of_saga in accounts.items():
        for account in of_saga if _counts(saga_id, books) else ():
            kept[account.currency] += account.net_minor
    for saga_id, order in books.services.orders.items():
        if _counts(saga_id, books):
            due_by_currency[order.currency] += order.total_minor - order.credit_minor - order.refunded_minor
    for saga_id, payment in books.services.payments.items():
        if _counts(saga_id, books):
            due_by_currency[payment.currency] += payment.failed_minor
    for change_id, back in books.services.of(MoneyBackFacts).items():
        if _counts(change_id, books) and _counts(books.changes.checkout_of.get(change_id), books):
            due_by_currency[back.currency] += back.credited_minor
    compare_sums(kept, due_by_currency, findings)


def compare_sums(kept: Counter[str], due_by_currency: Counter[str], findings: Findings) -> None:
    """Check Q4 by currency: the gateway has kept the worth of all orders, less what they gave back, plus refunds that
    failed. Amounts are minor units.
    """
    for currency in kept.keys() | due_by_currency.keys():
        findings.look_at("Q4")
        if kept[currency] != due_by_currency[currency]:
            worth = money(due_by_currency[currency], currency)
            message = f"The gateway has kept {money(kept[currency], currency)}, confirmed orders are worth {worth}."
            findings.violated("Q4", message, currency=currency)


def _counts(saga_id: UUID | None, books: Books) -> bool:
    """Return whether the saga counts in the sums. One that an operator settled does not: its money moved elsewhere."""
    return not books.is_unfinished(saga_id) and saga_id not in books.settled


def _differences(accounts: Sequence[GatewayAccount], payment: PaymentFacts | None) -> Iterator[str]:
    theirs = {account.authorisation_id: account for account in accounts if account.arrived and not account.declined}
    if payment and payment.is_at_the_gateway and payment.authorisation_id not in theirs:
        yield f"The gateway does not know the payment's {payment.authorisation_id}."
    for authorisation_id, account in theirs.items():
        if payment is None or payment.authorisation_id != authorisation_id:
            yield f"The gateway's {authorisation_id} is not in the payments."
        elif (differing := _as_booked(account)) != _as_paid(payment):
            yield f"The gateway's books say {differing}, the payment {_as_paid(payment)}."


def _as_booked(account: GatewayAccount) -> tuple[object, ...]:
    ids = (account.status, account.amount_minor, account.currency, account.capture_id)
    return *ids, account.captured_minor, account.refunded_minor


def _as_paid(payment: PaymentFacts) -> tuple[object, ...]:
    credited = sum(refund.amount_minor for refund in payment.refunds if refund.destination == "credit")
    status = "captured" if credited and payment.status == "refunded" else payment.status  # money is at the gateway
    ids = (status, payment.amount_minor, payment.currency, payment.capture_id)
    return *ids, payment.captured_minor, payment.refunded_minor - credited


def _check_closed(saga_id: UUID | None, accounts: Sequence[GatewayAccount], findings: Findings) -> None:
    known = {"saga": saga_id, "step": authorise_payment.step} if saga_id else {}
    for account in accounts:
        if account.is_open:
            held = "holds" if account.arrived else "will hold"
            message = (
                f"The gateway {held} {money(account.amount_minor, account.currency)}, and no saga is at work on it."
            )
            findings.violated("Q4", message, order=account.reference, key=account.keys[0], **known)


def _sums_said(sums: Counter[str]) -> str:
    return ", ".join(money(amount, currency) for currency, amount in sorted(sums.items())) or "nothing"
