"""A step's ledger row concluded because a person settled it outside: nothing is called for it any more.

With the facts that its command takes from an operator, the service's own rows say so as well. Without (a refund paid by
bank transfer has no refund at the gateway) they stay as they are, and the row's answer keeps who said so, why, and the
evidence: what the books then do not say is an accepted exception.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from orchestration.contracts.codec import encode
from orchestration.contracts.command import Action, Compensation
from orchestration.participant.external import ExternalCommand
from orchestration.participant.external_steps import BEFORE
from orchestration.participant.ledger import Status
from orchestration.participant.ledger_store import Call, LedgerChange, Row
from orchestration.participant.manual_outcome import Grounds
from orchestration.participant.manual_resolution import NotResolved, Resolved, attempted, recorded, wanted
from orchestration.participant.participant import Participant

_NOTHING_STANDS = (Status.REFUSED, Status.BARRED, Status.UNDONE)


@dataclass(frozen=True)
class Settlement:
    """What a person says: `command` is settled (an action is done, a compensation needs not be made any more).

    `facts` are for the service. `answers` are facts of the action's answer for later steps, which cannot do without
    those in `needed`.
    """

    command: Action | Compensation
    grounds: Grounds
    facts: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    needed: frozenset[str] = frozenset()

    @property
    def note(self) -> dict[str, Any]:
        """What the row keeps of it, by a name that no step answers."""
        return {f"{self.command.step}_settled": asdict(self.grounds)}


def settle(
    participant: Participant,
    call: Call,
    settlement: Settlement,
    *,
    still: Callable[[], bool],
    rehearsed: bool = False,
) -> Resolved:
    """Conclude the row, in one transaction and under its lock. With `rehearsed` all of it is done and taken back.

    `still` is asked under that lock: whether the saga still leaves the step to a person. Who sends it from then on
    finds the row concluded.

    :raises NotResolved: when the saga does not, or the row cannot become so, or a fact is missing or wrong.
    """

    def work() -> Resolved:
        row = _locked(participant, call, settlement)
        if not still():
            raise NotResolved(f"{call.step} is no longer parked: another operator resumed the saga")
        if isinstance(settlement.command, Compensation):
            return _undone(participant, call, settlement, row)
        return _done(participant, call, settlement, row)

    return attempted(participant, call.saga_id, work, rehearsed=rehearsed)


def facts_wanted(participant: Participant, command: Action | Compensation) -> str:
    """What the service can be told, for a person; empty when it takes nobody's word."""
    work = participant.commands[command]
    return wanted(work.facts) if isinstance(work, ExternalCommand) and work.facts else ""


def _locked(participant: Participant, call: Call, settlement: Settlement) -> Row:
    """The row; where there was none, one that turns a late message away."""
    action = isinstance(settlement.command, Action)
    participant.rows.claim([call], Status.STARTED if action else Status.BARRED, keep_request=action)
    return participant.rows.look({call.saga_id}, call.step)[call.saga_id]


def _undone(participant: Participant, call: Call, settlement: Settlement, row: Row) -> Resolved:
    if row.status in _NOTHING_STANDS:
        _refuse_facts(call, settlement, row)
        return Resolved(row.status, row.status, row.answer, row.refusal)
    if row.status == Status.STARTED or (row.status == Status.DONE and settlement.facts):
        undoing = LedgerChange(call.saga_id, call.token, Status.UNDOING)
        participant.rows.change(call.step, [undoing], was=BEFORE[Status.UNDOING])
    _record(participant, call, settlement)
    answer = {**(row.answer or {}), **settlement.note}
    undone = LedgerChange(call.saga_id, call.token, Status.UNDONE, answer=answer)
    participant.rows.change(call.step, [undone], was=[Status.DONE, Status.UNDOING])
    return Resolved(row.status, Status.UNDONE, answer, row.refusal)


def _done(participant: Participant, call: Call, settlement: Settlement, row: Row) -> Resolved:
    if row.status in (Status.DONE, Status.REFUSED):  # a refusal stays what was answered; the saga goes past it
        _refuse_facts(call, settlement, row)
        return Resolved(row.status, row.status, _answer(settlement, row.answer or {}), row.refusal)
    if row.status != Status.STARTED:
        raise NotResolved(f"{call.step} is {row.status}: it can no longer be done")
    answer = _answer(settlement, _record(participant, call, settlement)) | settlement.note
    participant.rows.change(
        call.step, [LedgerChange(call.saga_id, call.token, Status.DONE, answer)], was=[Status.STARTED]
    )
    return Resolved(row.status, Status.DONE, answer, None)


def _refuse_facts(call: Call, settlement: Settlement, row: Row) -> None:
    """What nobody would write down must not be taken as if it were."""
    if settlement.facts:
        given = ", ".join(settlement.facts)
        raise NotResolved(f"{call.step} stays {row.status}: leave out {given}, which would be written nowhere")


def _answer(settlement: Settlement, told: Mapping[str, Any]) -> dict[str, Any]:
    answer = {**settlement.answers, **told}
    if missing := settlement.needed - answer.keys():
        raise NotResolved(f"later steps need {', '.join(sorted(missing))}")
    return answer


def _record(participant: Participant, call: Call, settlement: Settlement) -> dict[str, Any]:
    """Have the service write its own rows, if it is told anything; gives the answer."""
    if not settlement.facts:
        return {}
    work = participant.commands[settlement.command]
    if not isinstance(work, ExternalCommand):
        raise NotResolved(f"{settlement.command.name} takes no facts from an operator")
    return _encoded(recorded(settlement.command, work, call, settlement.facts))


def _encoded(answer: Any) -> dict[str, Any]:
    """An answer as facts; nothing to tell is none."""
    return encode(answer) if answer is not None else {}
