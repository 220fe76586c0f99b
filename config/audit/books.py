"""All books side by side, each database read from one snapshot of its own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar
from uuid import UUID

import inventory.models
import orders.models
import payments.models
import shipping.models
from config.audit import carrier, gateway, keys, ledgers, orders as order_book, payments as payment_book
from config.audit import saga_logs, sagas, shipments, stock
from config.audit.carrier import Parcels
from config.audit.gateway import Accounts
from config.audit.ledgers import Ledgers, Remembered
from config.audit.orders import OrderFacts
from config.audit.payments import PaymentFacts
from config.audit.saga_logs import LogFacts
from config.audit.sagas import SagaFacts
from config.audit.shipments import ShipmentFacts
from config.audit.snapshots import snapshot
from config.audit.stock import Holding, StockFacts
