"""A Flask application with a classroom in it: the least that there is.

    pip install classwaves
    CLASSWAVES_DEMO=1 gunicorn -c python:classwaves.gunicorn_conf basic:app

The demo mode has the users ``teacher`` and ``student`` (password ``classwaves``) and makes its own keys; without it set
JWT_SECRET_KEY and SECRET_KEY. With REDIS_URL, WEB_CONCURRENCY=2 is two workers. What is here then:

    POST /api/v1/auth/login        {"username": "teacher", "password": "classwaves"} -> accessToken
    POST /api/v1/sessions          {"title": "Frogs"}, with the token as bearer -> sessionCode
    io({auth: {token}})            socket.io-client; then emit joinSession with the code, and sendMessage
    POST /bell/<code>              a route of this file: the application itself speaks to a class

Next: own_event.py for events of your own, own_accounts.py for your own users.
"""

from typing import Any

from flask import Flask
from flask_jwt_extended import get_jwt, get_jwt_identity, jwt_required

from classwaves import ClassWaves, ClassWavesError

classwaves = ClassWaves()


def create_app(config: dict[str, Any] | None = None) -> Flask:
    """Make the application as you always do; the classroom is one line."""
    app = Flask(__name__)
    app.config.from_mapping(config or {})
    classwaves.init_app(app)  # Socket.IO on /socket.io, REST on /api/v1, /healthz, /readyz, /metrics

    @app.get("/")
    def hello() -> str:
        return "This application has a classroom."

    @app.post("/bell/<code>")
    @jwt_required()
    def bell(code: str) -> Any:
        """Ring in a class. The tokens are the classroom's; who may do what on a route of yours is yours to say."""
        if get_jwt()["role"] != "teacher":
            return {"error": "Only a teacher rings"}, 403
        try:
            return classwaves.publish(code, "bellRings", {"times": 2}, author=get_jwt_identity())
        except ClassWavesError as error:
            return {"error": error.message}, error.spec.status

    return app


app = create_app()
