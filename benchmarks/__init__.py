"""``make bench``: what a delivered message, a join and an idle connection cost here and elsewhere."""
