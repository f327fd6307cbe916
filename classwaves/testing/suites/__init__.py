"""Suites that a shop subclasses for its own store, authenticator and storage of files; our own pass them, too.

A test file of the shop's has ``class TestMyStore(StoreContract)`` with the method that makes one. See
``docs/testing.md``.
"""

from .authenticator import AuthenticatorContract as AuthenticatorContract
from .storage import StorageContract as StorageContract
from .store_auth import LoginsContract
from .store_board import BoardContract
from .store_checkpoints import CheckpointsContract
from .store_feed import FeedContract
from .store_log import LogContract
from .store_presence import PresenceContract
from .store_rewrite import RewriteContract
from .store_seats_and_cursors import SeatsContract
from .store_sessions import SessionsContract
from .store_uploads import UploadsContract


class StoreContract(
    SessionsContract,
    LogContract,
    CheckpointsContract,
    PresenceContract,
    SeatsContract,
    FeedContract,
    RewriteContract,
    UploadsContract,
    LoginsContract,
    BoardContract,
):
    """All that ClassWaves relies on in a :class:`classwaves.store.Store`: override :meth:`make_store`."""
