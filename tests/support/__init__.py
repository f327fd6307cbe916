"""What the tests stand on: real servers, a proxy that breaks things, and waiting.

Everything binds to 127.0.0.1 and puts away what it starts.
"""
