"""The parts of the chaos test: a fleet, what breaks in it, a class, and what is asked at the end."""
