"""The parts of ``transcriber.py``: sound, pauses, engines and their process, the classroom."""
