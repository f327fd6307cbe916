"""The only code that touches what is inside Engine.IO and Socket.IO servers, gevent-websocket and gunicorn."""

#: Where a request's environ offers a WebSocket handshake to whoever wants to accept it.
UPGRADE_KEY = "classwaves.upgrade"
