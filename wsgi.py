"""The WSGI application that gunicorn serves: ``gunicorn --config gunicorn.conf.py wsgi:app``."""

from classwaves import create_app, logs

app = create_app()
logs.name_worker(app.extensions["classwaves"].hub.worker)
