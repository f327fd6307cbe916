"""The WSGI application that gunicorn serves: ``gunicorn --config gunicorn.conf.py wsgi:app``."""

from classwaves import create_app

app = create_app()
