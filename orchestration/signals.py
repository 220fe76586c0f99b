"""What orchestration tells whoever cares to listen in the same process."""

from django.dispatch import Signal

sagas_ended = Signal()
"""After the commit that ended them: `sagas`, a list of `SagaInstance` as they are now. An end can go unsaid, when the
process dies in between: for what must not be missed, ask the table."""
