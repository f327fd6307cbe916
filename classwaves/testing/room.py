"""A classroom session for a test: opened with people in it, closed at the end of a ``with`` block.

Imports models, explained, the schema of a session's settings, stages, people and clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from ..explained import nearest
from ..models import Account
from ..rest.schemas import SessionSettings
from .clock import RoomClock
from .inbox import claim
from .people import Person
from .stages import Stage

TEACHER = Account("teacher", "Teacher", "teacher")


class OpenRoom(Protocol):
    """What the fixture ``classroom`` is. The keyword arguments are those of :class:`Room`."""

    def __call__(
        self,
        *,
        students: int | Sequence[Account] = 0,
        guests: int = 0,
        teacher: Account = TEACHER,
        started: bool = True,
        title: str = "A lesson",
        **settings: Any,
    ) -> Room: ...


class Room:
    """One session, its teacher and its students, who have joined and have heard nothing yet.

    :param stage: where the classroom is.
    :param students: how many, with made-up accounts ``student-0``, ``student-1`` …; or whose accounts, for an
        application that looks its users up.
    :param guests: how many people without accounts; they come after the students.
    :param teacher: the owner's account.
    :param started: whether the session has been started, or else is ``created``.
    :param settings: the session's, such as ``maxParticipants=2`` or ``waitingRoom=True``.
    :raises TypeError, ValueError: there are no such people, or no such settings.
    """

    def __init__(
        self,
        stage: Stage,
        *,
        students: int | Sequence[Account] = 0,
        guests: int = 0,
        teacher: Account = TEACHER,
        started: bool = True,
        title: str = "A lesson",
        **settings: Any,
    ) -> None:
        _check_settings(settings)
        self._stage = stage
        self._teacher = _account(teacher)
        self._students = _accounts(students) if isinstance(students, int) else [_account(one) for one in students]
        self._guests = guests
        self._started = started
        self._title = title
        self._settings = settings
        self._people: list[Person] = []
        self.session_code = ""

    def __enter__(self) -> Self:
        backstage = self._stage.backstage
        self.session_code = backstage.create(self._teacher.user_id, self._title, self._settings)
        if self._started:
            backstage.step(self.session_code, "start")
        for account in [self._teacher, *self._students]:
            self._enter(account)
        for number in range(self._guests):
            self.join(f"Guest {number}", guest=True)
        for person in self._people:
            person.clear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect everybody. May be called again."""
        for person in self._people:
            if person.connected:
                person.disconnect()

    @property
    def people(self) -> list[Person]:
        """Everybody, in the order in which they came; the teacher first."""
        return list(self._people)

    @property
    def teacher(self) -> Person:
        """The owner. :raises RuntimeError: nobody is in yet."""
        self._check_open()
        return self._people[0]

    def student(self, number: int) -> Person:
        """A student, counted from 0; guests and those of :meth:`join` are counted, too."""
        self._check_open()
        students = self._people[1:]
        if not 0 <= number < len(students):
            raise IndexError(
                f"there are {len(students)} students here, counted from 0; open more: classroom(students=…)"
            )
        return students[number]

    @property
    def clock(self) -> RoomClock:
        """The application's clock: ``room.clock.advance(seconds)``. :raises RuntimeError: a real server has none."""
        return self._stage.clock

    def join(
        self,
        name: str,
        role: str = "student",
        *,
        user_id: str | None = None,
        guest: bool = False,
        asserted: bool = True,
    ) -> Person:
        """Let another person come in.

        :param user_id: their account's, made of the name unless given.
        :param guest: without an account, with a login for this session alone.
        :param asserted: that they are let in, or into the waiting room; else the test looks itself.
        """
        __tracebackhide__ = True
        if guest:
            token, user_id = self._stage.backstage.guest(self.session_code, name)
        else:
            user_id = user_id or name.lower().replace(" ", "-")
            token = self._stage.backstage.login(user_id, name, role)
        return self._admit(Person(self._stage, self.session_code, user_id, name, token), asserted)

    def _check_open(self) -> None:
        if not self._people:
            raise RuntimeError("nobody is in this room yet: with classroom(students=…) as room:")

    def _enter(self, account: Account) -> Person:
        return self.join(account.display_name, account.role, user_id=account.user_id)

    def _admit(self, person: Person, asserted: bool) -> Person:
        __tracebackhide__ = True
        self._people.append(person)
        ack = person.join()
        claim(ack["ok"] or not asserted, f"{person.name} was not let in: {ack.get('error')}")
        return person

    def new_token(self, person: Person) -> str:
        """Another access token of somebody with an account, by another login."""
        role = person.joined["self"]["role"]
        return self._stage.backstage.login(person.user_id, person.name, role)

    # the session's life

    def start(self) -> None:
        self._step("start")

    def pause(self) -> None:
        self._step("pause")

    def resume(self) -> None:
        self._step("resume")

    def end(self) -> None:
        self._step("end")

    def _step(self, name: str) -> None:
        self._stage.backstage.step(self.session_code, name)


def _account(given: Any) -> Account:
    if not isinstance(given, Account):
        raise TypeError(
            f"classroom(…) was given {given!r} for a person: give students=2, or their accounts, "
            "Account(user_id, display_name, role)"
        )
    return given


def _check_settings(settings: dict[str, Any]) -> None:
    """Refuse what a route would refuse: a setting that there is not would be a test of nothing."""
    fields = SessionSettings()
    for name in settings:
        if name not in fields.fields:
            raise TypeError(
                f"classroom() has no option {name}, and a session no such setting.{nearest(name, fields.fields)} "
                f"The settings are {', '.join(fields.fields)}."
            )
    for name, wrong in fields.validate(settings).items():
        raise ValueError(f"classroom({name}={settings[name]!r}): {wrong}")


def _accounts(count: int) -> list[Account]:
    if count < 0:
        raise ValueError(f"classroom(students={count}): there cannot be fewer than 0")
    return [Account(f"student-{number}", f"Student {number}", "student") for number in range(count)]
