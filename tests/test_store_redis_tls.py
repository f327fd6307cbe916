"""``rediss://``: Redis behind TLS, also with a certificate that it has signed itself."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from classwaves.errors import StoreUnavailable
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer
from tests.support.stores import Listener, new_session, redis_store, say


@pytest.fixture
def tls_redis(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A Redis that speaks TLS with a certificate it signed itself: its ``rediss://`` URL, and the certificate."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: rediss:// is not tested")
    key, certificate, port = tmp_path / "key.pem", tmp_path / "cert.pem", free_port()
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-keyout", str(key))
    subprocess.run([*made, "-out", str(certificate), *subject], check=True, capture_output=True)
    arguments = ("--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key))
    server = RedisServer(directory=tmp_path, arguments=(*arguments, "--tls-auth-clients", "no"))
    try:
        server.start()
    except AssertionError:
        if "tls" not in server.log().lower():
            raise
        pytest.skip("this Redis was built without TLS: rediss:// is not tested")
    with server:
        yield f"rediss://127.0.0.1:{port}/0", certificate


def test_rediss_works(tls_redis: tuple[str, Path]) -> None:
    """With a certificate that is known, or without checking it: some hosts sign theirs themselves."""
    url, certificate = tls_redis
    for options in (f"ssl_ca_certs={certificate}", "ssl_cert_reqs=none"):
        store = redis_store(f"{url}?{options}")
        listener = Listener()
        store.start(listener)
        session = new_session(store)
        store.subscribe(session.id)
        say(store, session, "hello")
        listener.hears(session.id, "hello")
        store.close()


def test_rediss_checks_the_certificate(tls_redis: tuple[str, Path]) -> None:
    url, _ = tls_redis
    store = redis_store(url)
    with pytest.raises(StoreUnavailable):
        store.ping()
    store.close()
