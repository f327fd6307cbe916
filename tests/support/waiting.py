"""Wait for what becomes true by itself: what shops wait with in their tests of their own parts, too."""

from classwaves.testing.waiting import eventually as eventually
