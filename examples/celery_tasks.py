"""Tell a class something from a Celery task (``pip install 'celery>=5.4'``), here with the server's Redis as broker.

    export REDIS_URL=redis://localhost:6379/0
    cd examples
    celery --app celery_tasks worker
    python celery_tasks.py DEM234            # in another terminal: asks for the tasks

A Publisher may be made where the module is loaded: it connects in each of Celery's processes when it is first used.
"""

import os
import sys
from typing import Any

from celery import Celery, Task
from flask_socketio import SocketIO

from classwaves import ClassWavesError, Publisher

REDIS_URL = os.environ["REDIS_URL"]

celery = Celery("celery_tasks", broker=REDIS_URL)
celery.conf.broker_connection_retry_on_startup = True
classroom = Publisher(REDIS_URL)
sockets = SocketIO(message_queue=REDIS_URL)


@celery.task(bind=True, acks_late=True, max_retries=20)
def grade(task: Task, session_code: str, answers: dict[str, int]) -> dict[str, Any]:
    """Grade a quiz, and tell the class. The task's id is the key, so a task that runs again stores nothing twice."""
    best = max(answers.values())
    winners = sorted(name for name, points in answers.items() if points == best)
    try:
        classroom.publish(session_code, "quizGraded", {"best": best, "winners": winners}, key=task.request.id)
        return classroom.say(session_code, f"The quiz is graded: {best} points.", key=task.request.id)
    except ClassWavesError as error:
        if error.spec.retryable:  # the store was away: it is not known whether anything is stored
            raise task.retry(exc=error, countdown=1) from error
        raise


@celery.task
def ring(times: int) -> None:
    """Ring a bell for whoever is connected now, in Flask-SocketIO's own way: no order, and nothing is kept."""
    sockets.emit("bellRings", {"times": times})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("celery_tasks.py CODE")
    grade.delay(sys.argv[1], {"Ann": 7, "Ben": 9, "Cem": 9})
    ring.delay(3)
