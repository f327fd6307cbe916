"""What both stores promise of the log: its order, its fences, its dedupe keys."""

from classwaves.testing.suites.store_log import LogContract
from tests.support.stores import EveryStore


class TestLog(EveryStore, LogContract):
    """Every kind of store keeps them."""
