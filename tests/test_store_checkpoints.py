"""What both stores promise of checkpoints, of the log behind them, and of epochs."""

from classwaves.testing.suites.store_checkpoints import CheckpointsContract
from tests.support.stores import EveryStore


class TestCheckpoints(EveryStore, CheckpointsContract):
    """Every kind of store keeps them."""
