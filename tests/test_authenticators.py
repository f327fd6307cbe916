"""Our own authenticators keep what a shop's must keep."""

from classwaves import Authenticator
from classwaves.auth.accounts import DEMO_PASSWORD, DemoAuthenticator, StoreAuthenticator
from classwaves.store import MemoryStore
from classwaves.testing.suites import AuthenticatorContract
from tests.support.stores import LIMITS


class TestStoreAuthenticator(AuthenticatorContract):
    credentials = ("Ada", "right horse battery")

    def make_authenticator(self) -> Authenticator:
        made = StoreAuthenticator(MemoryStore(LIMITS))
        made.create(*self.credentials, "Ada Lovelace", "teacher")
        return made


class TestDemoAuthenticator(AuthenticatorContract):
    credentials = ("teacher", DEMO_PASSWORD)

    def make_authenticator(self) -> Authenticator:
        return DemoAuthenticator(StoreAuthenticator(MemoryStore(LIMITS)))
