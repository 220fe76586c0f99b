"""The page of locks: the locks that sagas hold, the graph of sagas that wait, and the deadlocks that were ended."""

from django.http import HttpRequest, HttpResponse
from django.utils.safestring import mark_safe

from orchestration.admin.frame import VIEW_SAGAS, for_operators, page
from orchestration.db import clocks
from orchestration.operators.insight import locks as lock_reads
from orchestration.operators.insight.wait_graph import SHOWN_FOR, ended_deadlocks, wait_graph
from orchestration.operators.insight.wait_graph_svg import wait_graph_svg


@for_operators(VIEW_SAGAS)
def locks(request: HttpRequest) -> HttpResponse:
    """Show the locks as they are now, and the deadlocks of the last day."""
    now = clocks.now()
    graph = wait_graph()
    return page(
        request,
        "operations/locks.html",
        "Locks",
        found=lock_reads.locks(),
        graph=graph,
        picture=mark_safe(wait_graph_svg(graph, now)),
        deadlocks=ended_deadlocks(since=now - SHOWN_FOR),
    )
