"""The only code that touches what is inside Engine.IO and Socket.IO servers, gevent-websocket and gunicorn."""

#: Where a request's environ offers a WebSocket handshake to whoever wants to accept it.
UPGRADE_KEY = "classwaves.upgrade"

#: Where a request's environ offers to hand the connection over to another worker.
HAND_OVER_KEY = "classwaves.hand_over"
