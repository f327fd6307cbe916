"""Files that only type checkers read: mypy with all others, pyright by ``test_typing.py``.

What must not pass has a ``type: ignore``, which both checkers refuse where it is not needed.
"""
