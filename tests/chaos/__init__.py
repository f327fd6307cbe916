"""The parts of the chaos test (``tests/test_chaos.py``): a fleet, what breaks in it, a class, and what is asked at the end."""
