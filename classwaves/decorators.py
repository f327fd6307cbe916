"""The decorators that a shop finds on its extension object: ``@classwaves.event`` and ``@classwaves.rule``.

Imports the registry, which does what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Never, TypeVar, overload

from marshmallow import Schema

from .explained import explained
from .registry import Policy, Registry, ShopHandler, ShopRule
from .rules import CONNECTED, RULES

RULE = TypeVar("RULE", bound=ShopRule)
POLICY = TypeVar("POLICY", bound=Policy)
HANDLER = TypeVar("HANDLER", bound=ShopHandler)

_RULES = ", ".join(name for name in RULES if name != CONNECTED)
_WHO = f"say who may: one of {_RULES}, or the name of your own rule"
_WHAT = "say what its payload must be, a marshmallow Schema; EventSchema is one without fields of its own"


class Registers:
    """Whoever has a registry, see :class:`ClassWaves`."""

    _registry: Registry

    @explained(schema=_WHAT, allow=_WHO)
    def event(
        self,
        name: str,
        *,
        schema: type[Schema],
        allow: str,
        limit: str = "",
        audience: str = "all",
        active: bool = False,
        reads: bool = False,
        publishes: Mapping[str, type[Schema] | None] | None = None,
        **misspelled: Never,
    ) -> Callable[[HANDLER], HANDLER]:
        """Register a function for an event that clients send; it has this for all applications of this object.

        ::

            @classwaves.event("boardStroke", schema=StrokeSchema, allow="participant", limit="20/second")
            def stroke(ctx: EventContext, data: dict[str, Any]) -> dict[str, Any]:
                return ctx.publish("boardStroked", {"points": data["points"]})

        The function gets an :class:`~classwaves.shopcontext.EventContext` and the payload that the schema has loaded,
        with ``sessionCode``. What it returns goes into the ack.

        :param name: in camelCase, none of ClassWaves' own.
        :param schema: a marshmallow schema; every event has ``sessionCode`` and ``clientMessageId`` beside its fields,
            and no others.
        :param allow: ``participant``, ``student``, ``speaker`` (who may write in the chat), ``staff``, ``owner``,
            ``admin``, or the name of a rule that :meth:`rule` has registered.
        :param limit: how often one user may, on one worker, such as ``5/second;60/minute``; ``CLASSWAVES_EVENT_RATES``
            overrides it. All events together have a rate of their own beside it.
        :param audience: whom what it publishes is for: ``all``, ``staff``, ``group`` (the sender's, and staff) or
            ``sender``; :meth:`EventContext.publish` may say otherwise.
        :param active: the session must be ``active``, neither ``created`` nor ``paused``.
        :param reads: it publishes nothing, so it is answered in an ended session too.
        :param publishes: the events that it publishes and their schemas, for the documents and types that are made of
            the registry.
        :raises TypeError, ValueError, RuntimeError: it cannot be registered, and what to do about it.
        """
        flags = {"active": active, "reads": reads}
        self._registry.check(name, schema, allow, limit, audience, flags, publishes)
        told = dict(publishes or {})

        def register(handler: HANDLER) -> HANDLER:
            self._registry.add_event(
                name,
                handler,
                schema=schema,
                allow=allow,
                limit=limit,
                audience=audience,
                active=active,
                reads=reads,
                publishes=told,
            )
            return handler

        return register

    @overload
    def rule(self, name: RULE) -> RULE: ...

    @overload
    def rule(self, name: str) -> Callable[[RULE], RULE]: ...

    def rule(self, name: str | RULE) -> RULE | Callable[[RULE], RULE]:
        """Register a function of a context and a payload that says who may, before the events whose ``allow`` names it.

        ``True`` allows. Everything else forbids, also an exception, which is logged; a
        :exc:`~classwaves.errors.ClassWavesError` is what the client is told.

        :param name: what ``allow`` calls it; without, the function's name.
        :raises TypeError, ValueError: it cannot be registered.
        """

        def register(function: RULE) -> RULE:
            called = name if isinstance(name, str) else getattr(function, "__name__", "")
            self._registry.add_rule(called, function)
            return function

        return register if isinstance(name, str) else register(name)

    def policy(self, policy: POLICY) -> POLICY:
        """Have a function asked about every event of a session, ours too, after the event's own rule has allowed it.

        It gets a context, the event's name and its payload. ``True`` allows what the rule has allowed; everything else
        forbids, also an exception, which is logged. A :exc:`~classwaves.errors.ClassWavesError` is what the client is
        told. Who comes in is asked of :meth:`join_guard`.

        :raises TypeError, RuntimeError: it cannot be asked; there is one already.
        """
        self._registry.policy = policy
        return policy
