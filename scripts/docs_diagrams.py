"""Draw the pictures of docs/architecture.md and recovery.md; with ``--check``, tell if a file is another one.

They are SVG with a title and a description for who does not see them, on a ground of their own, light or dark as the
reader's system is.
"""

import sys
from html import escape
from pathlib import Path

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"

STYLE = """
  svg { --ground: #ffffff; --ink: #1d2733; --soft: #53606e; --box: #eef3f8; --edge: #7b8ca0; --store: #fdf0d8;
        --mark: #0a6178; font: 14px system-ui, sans-serif; }
  @media (prefers-color-scheme: dark) {
    svg { --ground: #171d26; --ink: #e8edf3; --soft: #a9b6c4; --box: #243040; --edge: #6d8098; --store: #46391f;
          --mark: #6fd0e6; }
  }
  .ground { fill: var(--ground); }
  .box { fill: var(--box); stroke: var(--edge); }
  .store { fill: var(--store); stroke: var(--edge); }
  .frame { fill: none; stroke: var(--edge); stroke-dasharray: 5 4; }
  .line { fill: none; stroke: var(--soft); stroke-width: 1.6; }
  .mark { fill: none; stroke: var(--mark); stroke-width: 2; }
  .gone { stroke-dasharray: 3 4; }
  .head { fill: var(--soft); }
  .markhead { fill: var(--mark); }
  text { fill: var(--ink); }
  .note { fill: var(--soft); font-size: 12.5px; }
  .name { font-weight: 600; }
  .label { fill: var(--soft); font-size: 12.5px; stroke: var(--ground); stroke-width: 4px; paint-order: stroke; }
"""


class Picture:
    """A picture that is being drawn.

    :param name: of its file
    :param title: what it is
    :param told: what it shows, in sentences
    """

    def __init__(self, name: str, width: int, height: int, title: str, told: str) -> None:
        self.name = name
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            'role="img" aria-labelledby="title told">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="told">{escape(told)}</desc>',
            f"<style>{STYLE}</style>",
            "<defs>",
            *(
                f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
                f'orient="auto-start-reverse"><path class="{name}" d="M0 0 10 5 0 10z"/></marker>'
                for name in ("head", "markhead")
            ),
            "</defs>",
            f'<rect class="ground" width="{width}" height="{height}" rx="10"/>',
        ]

    def box(self, x: int, y: int, width: int, height: int, *lines: str, kind: str = "box") -> None:
        """Draw a box; its first line is its name."""
        self._parts.append(f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="7"/>')
        first = y + height / 2 - (len(lines) - 1) * 9 + 5
        for at, line in enumerate(lines):
            name = "note" if at else "name"
            self.text(x + width / 2, first + at * 18, line, kind=name, anchor="middle")

    def frame(self, x: int, y: int, width: int, height: int, name: str) -> None:
        """Draw a dashed frame around boxes, named at its lower edge."""
        self._parts.append(f'<rect class="frame" x="{x}" y="{y}" width="{width}" height="{height}" rx="10"/>')
        self.text(x + width - 103, y + height - 9, name, anchor="end")

    def text(self, x: float, y: float, text: str, kind: str = "label", anchor: str = "start") -> None:
        """Write one line."""
        self._parts.append(f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>')

    def arrow(self, *points: tuple[int, int], kind: str = "line", both: bool = False) -> None:
        """Draw an arrow along these points."""
        head = "markhead" if kind.startswith("mark") else "head"
        path = " ".join(f"{x},{y}" for x, y in points)
        start = f' marker-start="url(#{head})"' if both else ""
        self._parts.append(f'<polyline class="{kind}" points="{path}" marker-end="url(#{head})"{start}/>')

    def line(self, x: int, y: int, end: int, kind: str = "line") -> None:
        """Draw a line downwards."""
        self._parts.append(f'<line class="{kind}" x1="{x}" y1="{y}" x2="{x}" y2="{end}"/>')

    def svg(self) -> str:
        """Return the file."""
        return "\n".join([*self._parts, "</svg>\n"])


def event() -> Picture:
    """From one client to all of them."""
    picture = Picture(
        "event.svg",
        760,
        470,
        "The path of an event",
        "A client's event goes through transport, namespace, pipeline and feature of its worker, and is appended "
        "to the session's log in the store, which numbers it. The ack goes back after that. The store publishes "
        "the entry on the session's feed. Every worker that serves the session, the sender's too, applies it to "
        "its replica and sends it to those of its sockets that it is for.",
    )
    for x, number in ((30, 1), (400, 2)):
        picture.frame(x, 96, 330, 218, f"worker {number}")
    picture.box(50, 20, 130, 44, "client A")
    picture.box(210, 20, 130, 44, "client B")
    picture.box(500, 20, 130, 44, "clients C, D")
    for y, lines in ((122, ("transport",)), (178, ("pipeline", "all checks, in order")), (242, ("feature",))):
        picture.box(46, y, 142, 44, *lines)
    picture.arrow((90, 64), (90, 120), kind="mark")
    picture.text(82, 84, "event", anchor="end")
    picture.arrow((117, 166), (117, 176), kind="mark")
    picture.arrow((117, 222), (117, 240), kind="mark")
    for x in (206, 480):
        picture.box(x, 122, 142, 44, "rooms, outboxes")
        picture.box(x, 178, 142, 44, "audience", "whom it is for")
        picture.box(x, 242, 142, 44, "replica", "applies entry 41")
        picture.arrow((x + 71, 240), (x + 71, 224))
        picture.arrow((x + 71, 176), (x + 71, 168))
    picture.arrow((277, 120), (277, 66))
    picture.arrow((240, 120), (165, 66))
    picture.arrow((551, 120), (561, 66))
    picture.text(290, 84, "messageReceived, seq 41")
    picture.text(572, 84, "messageReceived, seq 41")
    picture.box(30, 372, 700, 76, "store", "one atomic step: dedupe key, fences, number, append, publish", kind="store")
    picture.arrow((117, 286), (117, 370), kind="mark")
    picture.text(127, 345, "append")
    picture.arrow((60, 370), (60, 290), (38, 290), (38, 42), (49, 42), kind="line gone")
    picture.text(44, 325, "ack", anchor="end")
    picture.arrow((277, 370), (277, 288))
    picture.arrow((551, 370), (551, 288))
    picture.text(287, 345, "the session's feed: entry 41")
    picture.text(561, 345, "the session's feed: entry 41")
    return picture


def places() -> Picture:
    """What runs where."""
    picture = Picture(
        "places.svg",
        760,
        480,
        "What runs where",
        "Browsers and apps reach any worker through a proxy, without sticky sessions. On each machine gunicorn's "
        "master runs workers; each worker has its sockets, replicas of the sessions that they are in, and an "
        "archiver. All workers share one Redis, which holds logs, seats, logins and the feeds. The archive in SQL"
        " and the storage of files are beside it. Scripts and Celery tasks publish through Redis alone.",
    )
    picture.box(30, 20, 330, 44, "browsers, apps", "Socket.IO and REST")
    picture.box(30, 100, 700, 40, "proxy, load balancer: any worker will do, no sticky sessions")
    picture.arrow((195, 64), (195, 98), both=True)
    for x, name in ((30, "machine 1, gunicorn"), (395, "machine 2, gunicorn")):
        picture.frame(x, 176, 335, 134, name)
        for at in range(2):
            left = x + 14 + at * 156
            picture.box(left, 196, 150, 84, f"worker {at + 1}", "sockets, replicas,", "a lease, an archiver")
            picture.arrow((left + 75, 142), (left + 75, 194), both=True)
            picture.arrow((left + 75, 282), (left + 75, 338), both=True)
    picture.box(30, 340, 700, 50, "Redis", "logs, seats, logins, limits; feeds, control channel, mail", kind="store")
    picture.box(30, 426, 220, 40, "archive: SQL", kind="store")
    picture.box(275, 426, 200, 40, "files: a disk or S3", kind="store")
    picture.box(500, 426, 230, 40, "scripts, Celery: Publisher")
    picture.arrow((615, 424), (615, 392))
    picture.text(40, 414, "workers also write these two, and read them:")
    return picture


def resume() -> Picture:
    """A connection is lost, and nothing else."""
    picture = Picture(
        "resume.svg",
        760,
        560,
        "Reconnect and resume",
        "A client joins on worker 1 and is told seq 40 and the epoch. It gets event 41 and loses its connection. "
        "Events 42 and 43 are stored meanwhile. It connects to worker 2 and joins with sinceSeq 41 and the epoch."
        " Worker 2 looks whether the epoch is the same and takes what was addressed to this user after 41. The "
        "answer is sessionJoined with recovered true and events 42 and 43 in missed; then 44 comes live. With "
        "another epoch, or too much to tell, the answer is recovered false: a snapshot, and messages come from "
        "history.",
    )
    columns = {"client": 100, "worker 1": 300, "store": 490, "worker 2": 660}
    for name, x in columns.items():
        picture.box(x - 62, 18, 124, 36, name, kind="store" if name == "store" else "box")
        picture.line(x, 56, 484, "line gone")
    client, first, store, second = columns.values()

    def step(y: int, start: int, end: int, text: str, kind: str = "line") -> None:
        picture.arrow((start, y), (end, y), kind=kind)
        picture.text(min(start, end) + 10, y - 7, text)

    step(92, client, first, 'joinSession "ABC234"')
    step(122, first, client, "sessionJoined: seq 40, epoch x")
    step(156, store, first, "entry 41")
    step(180, first, client, "messageReceived, seq 41")
    picture.text(client, 216, "✕ connection lost", kind="name", anchor="middle")
    step(236, second, store, "append: 42")
    step(266, first, store, "append: 43")
    step(308, client, second, "connects, to any worker; joinSession, sinceSeq 41, epoch x", "mark")
    step(344, second, store, "older entries, if need be")
    picture.text(second, 372, "same epoch?", anchor="middle")
    picture.text(second, 390, "whole? addressed", anchor="middle")
    picture.text(second, 408, "to this user?", anchor="middle")
    step(436, second, client, "sessionJoined: recovered true, missed: 42, 43", "mark")
    step(470, second, client, "messageReceived, seq 44")
    picture.text(client + 10, 508, "otherwise: sessionJoined, recovered false: a snapshot; messages come from history")
    picture.text(client + 10, 528, "never a part of it in silence")
    return picture


def states() -> Picture:
    """A client's connection."""
    picture = Picture(
        "recovery.svg",
        760,
        330,
        "The states of a client",
        "From offline to connecting, connected and joined. A lost connection leads back from connected and joined "
        "to connecting. connect_error leads to: needs a token, and from there back to connecting. Being removed, or "
        "the end of the session, leads from joined back to connected.",
    )
    for x, width, name in ((20, 100, "offline"), (210, 120, "connecting"), (430, 110, "connected")):
        picture.box(x, 110, width, 46, name)
    picture.box(640, 110, 100, 46, "joined")
    picture.box(195, 250, 150, 56, "needs a token", "renew, or log in")
    for start, end, name in ((120, 208, "connect()"), (330, 428, "accepted"), (540, 638, "sessionJoined")):
        picture.arrow((start, 133), (end, 133), kind="mark")
        picture.text((start + end) / 2, 125, name, anchor="middle")
    picture.arrow((485, 110), (485, 75), (290, 75), (290, 108))
    picture.arrow((690, 110), (690, 42), (255, 42), (255, 108))
    picture.text(472, 30, "the connection is lost: come back, with backoff", anchor="middle")
    picture.arrow((690, 156), (690, 200), (485, 200), (485, 158))
    picture.text(588, 220, "removed, or the session has ended", anchor="middle")
    picture.arrow((250, 156), (250, 248))
    picture.text(240, 196, "connect_error,", anchor="end")
    picture.text(240, 212, "token has ended", anchor="end")
    picture.arrow((290, 250), (290, 158), kind="mark")
    picture.text(300, 204, "a new token")
    return picture


LAYERS = (
    ("7", "testing", "what a shop tests with"),
    ("6", "extension, users, cli, app, demo", "what a shop holds, operators, the reference application"),
    ("5", "transport, namespace, rest, monitor, registry", "Socket.IO and HTTP; what a shop registers"),
    ("4", "pipeline, events, rules, features, lifecycle, auth", "who may do what, and what an event does"),
    ("3", "hub, live, delivery, history, files, watch", "sessions on this worker, and their sockets"),
    (
        "2",
        "store, storage, archive, limits, replica, scheduler",
        "one subject each; the only ones that know Redis, S3, SQL",
    ),
    ("1", "errors, models, settings, tally, trail, logs, client", "codes, frozen data, what is counted"),
)


def layers() -> Picture:
    """Imports go down."""
    picture = Picture(
        "layers.svg",
        760,
        60 + 62 * len(LAYERS),
        "Layers of modules",
        "Seven layers; a module imports from its own layer and from those below. From the top: "
        + "; ".join(f"{number}: {names} ({what})" for number, names, what in LAYERS)
        + ".",
    )
    for at, (number, names, what) in enumerate(LAYERS):
        y = 20 + at * 62
        picture.box(30, y, 640, 52, names, what, kind="store" if number == "2" else "box")
        picture.text(48, y + 31, number, kind="name")
    picture.arrow((710, 24), (710, 20 + 62 * len(LAYERS) - 14), kind="mark")
    picture.text(710, 40 + 62 * len(LAYERS), "imports go down", anchor="end")
    return picture


PICTURES = (event, places, resume, states, layers)


def main() -> int:
    """Write the files, or say which are not what this draws."""
    drawn = {IMAGES / picture.name: picture.svg() for picture in (draw() for draw in PICTURES)}
    stale = [path for path, svg in drawn.items() if not path.exists() or path.read_text() != svg]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"docs/images/{path.name} is another one: run python scripts/docs_diagrams.py")
        return 1 if stale else 0
    for path in stale:
        path.write_text(drawn[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
