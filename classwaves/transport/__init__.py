"""The only code that touches what is inside Engine.IO and Socket.IO servers."""
