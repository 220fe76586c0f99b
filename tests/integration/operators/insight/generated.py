"""Sagas by the thousand, written by the database itself."""

from django.db import connections

from orchestration.models import ALIAS

_INSERT = """
INSERT INTO orchestration_sagainstance
    (id, definition, customer_id, idempotency_key, request_hash, order_id, request, phase, version, token, in_flight,
     progress, answers, failure, log_length, parked, failing_step, failed_tries, last_error, waits,
     dispatched_at, due_at, deadline_at, created_at, changed_at, ended_at)
SELECT gen_random_uuid(), CASE WHEN n %% 5000 = 7 THEN 'checkout.v0' ELSE 'checkout.v2' END, 'customer-' || n / 20,
    'key-' || n, 'hash', gen_random_uuid(), '{}'::jsonb, phase, 1, 1, phase = 'running', '{}'::jsonb, '{}'::jsonb,
    NULL, 1, fate = 'parked', CASE WHEN fate IN ('parked', 'failing', 'waiting') THEN 'authorise_payment' ELSE '' END,
    CASE WHEN fate IN ('parked', 'failing') THEN n %% 60 ELSE 0 END,
    CASE WHEN fate IN ('parked', 'failing', 'scarred') THEN 'Gateway' || n %% 7 ELSE '' END, fate = 'waiting', at,
    CASE WHEN phase IN ('completed', 'compensated') THEN NULL ELSE at + interval '1 minute' END,
    at + interval '15 minutes', at, at,
    CASE WHEN phase IN ('completed', 'compensated') THEN at + interval '2 seconds' END
FROM (
    SELECT n, fate, now() - n * interval '1 second' AS at,
        CASE WHEN fate IN ('straight', 'failing', 'waiting') THEN 'running' WHEN fate = 'parked' THEN 'finishing'
             WHEN fate IN ('barring', 'compensating') THEN fate WHEN fate = 'scarred' THEN 'compensated'
             ELSE 'completed' END AS phase
    FROM (
        SELECT n, CASE n %% %(one_in)s WHEN 1 THEN 'straight' WHEN 2 THEN 'failing' WHEN 3 THEN 'waiting'
            WHEN 4 THEN 'parked' WHEN 5 THEN 'barring' WHEN 6 THEN 'compensating' WHEN 7 THEN 'scarred'
            ELSE 'well' END AS fate
        FROM generate_series(1, %(count)s) AS n
    ) AS fated
) AS phased
"""


def generate_sagas(count: int, *, one_in: int = 200, analyse: bool = True) -> None:
    """Write so many sagas, a second apart, of which one in so many has each of seven fates; all others completed.

    Without `analyse` the planner knows nothing of them, as on a day when many are new.
    """
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(_INSERT, {"count": count, "one_in": one_in})
        if analyse:
            cursor.execute("ANALYZE orchestration_sagainstance")
