"""The extension: what a Flask shop holds in its hand.

Imports everything below it; only ``app`` is above.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

from flask import Flask

from . import featuresets, latecomers, rest, tracing
from .archive import open_archive
from .archive.archiver import Archiver
from .auth.accounts import DemoAuthenticator, Given, StoreAuthenticator, authenticator_of
from .auth.tokens import Tokens
from .clock import AppClock
from .closing import Closing
from .decorators import Registers
from .errors import ClassWavesError
from .events import Feature
from .explained import check_callable, check_takes, explained
from .features import FEATURES
from .gate import Gate, Guard
from .health import Health
from .hub import Hub
from .limits import RateLimits
from .metrics import Metrics
from .monitor import open_monitor
from .namespace import ClassroomNamespace
from .orders import Orders
from .origins import Origins
from .pipeline import Pipeline
from .proxies import Proxies
from .publisher import Outlet, Publishes
from .registry import Policy, Registry
from .samples import Samples
from .settings import Settings, SettingsError
from .signals import Herald
from .state import State, current_state
from .storage import Storage
from .store import Store, open_store
from .tallies import FOLDER, Workers
from .tally import Tally
from .transport.beat import LISTENERS
from .transport.drain import DRAINS, STARTS
from .transport.engine import LiveEngine
from .transport.gate import HandshakeGate
from .transport.server import (
    SocketIOEmitter,
    connect_workers,
    greet_after_connect,
    guard_messages,
    make_socketio,
    register_classroom,
)
from .users import DecidesAboutUsers

if TYPE_CHECKING:
    from flask_socketio import SocketIO


class ClassWaves(Registers, Publishes, DecidesAboutUsers):
    """The real-time layer of a classroom as a Flask extension.

    One object may serve several applications: what belongs to one of them is kept in
    ``app.extensions["classwaves"]``, a :class:`~classwaves.state.State`. So :meth:`publish` and :meth:`say`, which go
    into the current application's store, need an application context.

    :param app: registered at once if given; else call :meth:`init_app`.
    :param features: the capabilities; the built-in ones unless given.
    :param authenticator: an object with ``authenticate(username, password)``, a function of both, or what makes an
        :class:`~classwaves.auth.accounts.Authenticator` of the application's store; by default for accounts in it.
    :param join_guard: asked before somebody joins, see :meth:`join_guard`.
    :param policy: asked about each event after ClassWaves' own rules, see :meth:`policy`.
    :param store: makes the store of an application of its settings; by default one in memory, or on Redis.
    :param storage: makes the storage of shared files; by default where ``CLASSWAVES_FILES`` says.
    :param socketio: see :meth:`init_app`; for one application.
    :param namespace: the Socket.IO namespace of the classroom, ``/`` by default: ``CLASSWAVES_NAMESPACE``.
    :param url_prefix: where the REST API is mounted: ``CLASSWAVES_URL_PREFIX``.
    """

    #: What a handler raises to refuse: ``raise classwaves.Error("FORBIDDEN", "…")``.
    Error = ClassWavesError

    @explained()
    def __init__(
        self,
        app: Flask | None = None,
        *,
        features: Sequence[Feature] = FEATURES,
        authenticator: Given = StoreAuthenticator,
        join_guard: Guard | None = None,
        policy: Policy | None = None,
        store: Callable[[Settings], Store] | None = None,
        storage: Callable[[Settings], Storage] | None = None,
        socketio: SocketIO | None = None,
        namespace: str | None = None,
        url_prefix: str | None = None,
        **misspelled: Never,
    ) -> None:
        check_callable(store, "store", "a function of the settings that returns a classwaves.store.Store")
        check_callable(storage, "storage", "a function of the settings that returns a classwaves.storage.Storage")
        self._features = featuresets.checked(features)
        self._registry = Registry(self._features)
        self._authenticator = authenticator
        self._gate = Gate(join_guard)
        self._registry.policy = policy
        self._store, self._storage = store, storage
        self._socketio = socketio
        self._namespace, self._url_prefix = namespace, url_prefix
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask, *, socketio: SocketIO | None = None) -> None:
        """Register on an application: the Socket.IO namespace ``/``, the REST API and, at the root, ``/healthz``,
        ``/readyz`` and ``/metrics``.

        The application's configuration is read now; later changes have no effect.

        :param socketio: the application's own SocketIO object, whose handlers stay; by default the one that it was
            registered on before, or a fresh one.
        :raises RuntimeError: ClassWaves is registered on this application already.
        :raises ValueError: the SocketIO object has options or handlers that contradict ours.
        :raises SettingsError: see :meth:`classwaves.settings.Settings.load`.
        """
        if not isinstance(app, Flask):
            raise TypeError(f"{app!r} is no Flask application; give ClassWaves(app) or init_app(app) one")
        if "classwaves" in app.extensions:
            raise RuntimeError("ClassWaves is registered on this app already; call init_app() once per app")
        for name, value in (("CLASSWAVES_NAMESPACE", self._namespace), ("CLASSWAVES_URL_PREFIX", self._url_prefix)):
            if value is not None:
                app.config[name] = value
        settings = Settings.load(app.config)
        tracing.start(settings.tracing)
        app.config["JWT_SECRET_KEY"] = settings.jwt_secret_key
        app.config["SECRET_KEY"] = app.config.get("SECRET_KEY") or settings.secret_key
        before = app.extensions.get("socketio")  # one that it was made with, and nobody has told us of
        app.extensions["classwaves"] = self._build(app, settings, socketio or self._socketio or before)
        latecomers.watch(app, app.extensions["classwaves"])
        rest.register(app, settings)
        if settings.trusted_proxies:  # outside Socket.IO, which needs the client's address and origin too
            app.wsgi_app = Proxies(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign]

    def join_guard(self, guard: Guard) -> Guard:
        """Have a function asked before anybody joins; as a decorator, before or after :meth:`init_app`.

        It gets a :class:`~classwaves.gate.Join`, runs in an application context, and lets pass with ``None`` or
        ``True``. It refuses with ``False``, with :exc:`~classwaves.gate.Refuse`, whose sentence the client is shown,
        and with any other exception, which is logged. What it asks may take its time: only the client that joins waits.

        :raises TypeError: it is no function of a join.
        :raises RuntimeError: there is one already.
        """
        check_takes(guard, "the join guard", "join")
        if self._gate.guard is not None:
            raise RuntimeError("there is a join guard already; ask both questions in one")
        self._gate.guard = guard
        return guard

    def _outlet(self) -> Outlet:
        state = current_state()
        settings = state.settings
        return Outlet(state.store, settings.max_event_bytes, settings.max_message_length, state.hub.herald)

    def _build(self, app: Flask, settings: Settings, given: SocketIO | None) -> State:
        tally = Tally()
        clock = AppClock()
        store, origins = self._store(settings) if self._store else open_store(settings, clock), Origins(settings)
        limits = RateLimits(settings, tally, clock.monotonic)
        store.tally = tally
        tokens = Tokens(app, store, settings, clock)
        authenticator = authenticator_of(self._authenticator, store)
        if settings.demo:
            authenticator = DemoAuthenticator(authenticator)
        socketio = make_socketio(app, settings, origins, tally, given)
        namespace = ClassroomNamespace(app, socketio, tokens, limits, settings.namespace)
        emitter = SocketIOEmitter(socketio, settings.namespace)
        archive = open_archive(settings)
        hub = Hub(
            store,
            emitter,
            settings,
            entrance=namespace,
            archiver=Archiver(store, archive, settings) if archive else None,
            gate=self._gate,
            storage=self._storage(settings) if self._storage else None,
            herald=Herald(app, app.app_context),
            clock=clock,
        )
        if settings.store_kind == "redis":
            connect_workers(socketio, hub)
        namespace.counts = not isinstance(socketio.server.eio, LiveEngine)
        if isinstance(socketio.server.eio, LiveEngine):
            closing = Closing(socketio.server.eio, namespace, hub, emitter)
            DRAINS.append(closing)
            if settings.store_kind == "redis":
                STARTS.append(Orders(hub, closing).open)
        pipeline = Pipeline([*self._features, self._registry.own], hub, limits, self._registry.permits)
        _check_event_rates(settings, pipeline)
        namespace.bind(hub, pipeline)
        Samples(tally, hub, namespace, socketio.server.eio)
        namespace._set_socketio(socketio)
        register_classroom(socketio.server, namespace)
        greet_after_connect(socketio, namespace.connected, settings.namespace)
        guard_messages(socketio, namespace.note_size, namespace.refuse_packet, settings.max_event_bytes)
        app.wsgi_app = HandshakeGate(app.wsgi_app, socketio, settings, limits)  # type: ignore[method-assign]
        metrics, health = Metrics(self._workers(tally, socketio.server.eio)), Health(hub, settings)
        if settings.monitor:
            open_monitor(app, socketio, hub, tokens, limits, namespace.authenticate)
        self._registry.serve(pipeline)
        return State(
            settings,
            store,
            origins,
            limits,
            tokens,
            authenticator,
            hub,
            pipeline,
            socketio,
            tally,
            metrics,
            health,
        )

    @staticmethod
    def _workers(tally: Tally, engine: Any) -> Workers:
        """The workers whose numbers are one: those of gunicorn's master, or this process alone."""
        if not isinstance(engine, LiveEngine):
            return Workers(tally, None)
        folder = os.environ.get(FOLDER)
        workers = Workers(tally, Path(folder) if folder else None, len(LISTENERS))
        LISTENERS.append(workers)
        return workers


def _check_event_rates(settings: Settings, pipeline: Pipeline) -> None:
    """:raises SettingsError: a rate was set for an event that there is not, which would limit nothing."""
    for name, _ in settings.event_rates:
        if name not in pipeline.events:
            near = difflib.get_close_matches(name, pipeline.events, n=1, cutoff=0.0)
            raise SettingsError(
                f"CLASSWAVES_EVENT_RATES names the event {name}, which there is not. Did you mean {near[0]}? "
                "An event of your own must be registered before init_app()."
            )
