"""What an operator asks of all workers from a shell: who they are, to let their clients go, to take some again.

Imports errors, closing, hub and store. It travels as mail of the store. A worker that drains lives on: it is not ready,
takes no new sockets, and closes those it has over a while, so that a load balancer and its clients find another one.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

from .closing import Closing
from .errors import StoreUnavailable
from .hub import Hub

logger = logging.getLogger(__name__)

#: The mailbox that every worker has open.
MAILBOX = "orders"
#: How often a worker that drains says how far it is, in seconds.
REPORT = 0.5
#: How long it takes to try again to be heard, in seconds.
AGAIN = 2.0


class Orders:
    """One worker's obedience.

    :param closing: what closes its sockets.
    """

    def __init__(self, hub: Hub, closing: Closing) -> None:
        self._hub = hub
        self._closing = closing
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def open(self) -> None:
        """Take orders from now on. Called in a worker, after the fork; does not wait."""
        threading.Thread(target=self._open, name="classwaves-orders", daemon=True).start()

    def _open(self) -> None:
        self._hub.start()
        while True:
            try:
                return self._hub.store.open_mailbox(MAILBOX, self._on_mail)
            except StoreUnavailable:
                time.sleep(AGAIN)

    def _on_mail(self, data: bytes) -> None:
        order = json.loads(data)
        if is_meant(order, self._hub.worker, socket.gethostname()):
            threading.Thread(target=self._obey, args=(order,), name="classwaves-orders", daemon=True).start()

    def _obey(self, order: Mapping[str, Any]) -> None:
        try:
            if order["do"] == "drain":
                self._drain(float(order["seconds"]), order["reply"])
            elif order["do"] == "undrain":
                self._undrain()
            self._report(order["reply"])
        except StoreUnavailable:
            logger.info("the store is away; an operator gets no answer")

    def _report(self, to: str) -> None:
        about = {"worker": self._hub.worker, "host": socket.gethostname(), "pid": os.getpid()}
        about |= {"sockets": self._closing.sockets, "draining": self._hub.leaving or self._hub.draining}
        self._hub.send_mail(to, json.dumps(about).encode())

    def _drain(self, seconds: float, reply: str) -> None:
        with self._lock:
            self._stop.set()  # a drain that is under way already
            stop = self._stop = threading.Event()
            self._hub.leaving = True
        logger.warning("an operator drains this worker over %g s", seconds)
        closer = threading.Thread(target=self._closing.let_go, args=(seconds, stop), daemon=True)
        closer.start()
        while closer.is_alive() and not stop.is_set():
            self._report(reply)
            closer.join(REPORT)

    def _undrain(self) -> None:
        with self._lock:
            self._stop.set()
            self._hub.leaving = False
            self._closing.take_again()
        logger.warning("an operator lets this worker have clients again")


def is_meant(order: Mapping[str, Any], worker: str, host: str) -> bool:
    """Whether an order is for this worker: all are, unless it names workers or a host."""
    if workers := order.get("workers"):
        return worker in workers
    return order.get("host") in (None, host)
