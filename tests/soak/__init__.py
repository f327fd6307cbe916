"""A school that comes and goes and misbehaves for a long time, and what the server holds before and after."""
