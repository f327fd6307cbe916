"""Files on their way, as every kind of store keeps them: each step is one, whoever takes it at the same moment."""

from classwaves.testing.suites.store_uploads import UploadsContract
from tests.support.stores import EveryStore


class TestUploads(EveryStore, UploadsContract):
    """Every kind of store keeps them."""
