"""A small load: students come into a session and talk; how many deliveries a second there are, and how late they come.

    pip install 'classwaves[client]'
    python load.py DEM234 --students 20 --seconds 10 --every 2

It is for a session that nobody else is in: what is said stays in its log. Each student says something every so many
seconds, which goes to all of them. All students are this one process; when it needs a whole core, the numbers are its
own and not the server's. A server limits how many guests come from one address, and how much each says: who is told to
wait does so, and it counts. For more of them, start a server with CLASSWAVES_RATELIMIT_ENABLED=0.

Next: ``flask classwaves bench`` for larger loads, docs/scaling.md for how many workers a school needs.
"""

import argparse
import asyncio
import random
import statistics
import sys
import time

from classwaves.client import AsyncClient, AsyncRoom, ClassWavesError

MARK = "load "
late: list[float] = []  # seconds from saying to hearing
acked: list[float] = []  # seconds from saying to the ack: it is stored


async def listen(room: AsyncRoom) -> None:
    async for event in room.events():
        if event.name == "messageReceived" and event.data["message"].startswith(MARK):
            late.append(time.time() - float(event.data["message"].removeprefix(MARK)))


async def student(args: argparse.Namespace, number: int, all_students: asyncio.Barrier) -> None:
    async with AsyncClient.guest(args.server, args.code, f"Student {number}") as client:
        room = await client.join(args.code)
        listening = asyncio.create_task(listen(room))
        await all_students.wait()
        until = time.time() + args.seconds
        await asyncio.sleep(random.random() * args.every)  # noqa: S311 - not all at the same moment
        while True:  # once at least
            said = time.time()
            await room.send(f"{MARK}{said}")
            acked.append(time.time() - said)
            if said + args.every >= until:
                break
            await asyncio.sleep(max(0.0, said + args.every - time.time()))
        await all_students.wait()  # what is acknowledged is heard, or on its way
        listening.cancel()


async def main(args: argparse.Namespace) -> None:
    all_students = asyncio.Barrier(args.students)
    async with asyncio.TaskGroup() as group:
        for number in range(args.students):
            group.create_task(student(args, number, all_students))
    if len(acked) < 2:
        sys.exit("load: too little was said to count anything; take more --seconds")
    print(f"{args.students} students, {len(acked)} messages, {len(late) / args.seconds:.0f} deliveries a second")
    for what, seconds in (("delivery", late), ("ack", acked)):
        cuts = [f"p{at} {1000 * statistics.quantiles(seconds, n=100)[at - 1]:.0f} ms" for at in (50, 95, 99)]
        print(f"{what}: {', '.join(cuts)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("code", help="of a session in which guests are allowed")
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    parser.add_argument("--students", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--every", type=float, default=2, help="seconds between two messages of a student")
    args = parser.parse_args()
    if args.students < 1:
        parser.error("at least one student")
    try:
        asyncio.run(main(args))
    except* (ClassWavesError, OSError) as errors:
        sys.exit(f"load: {errors.exceptions[0]}")
