"""Crash histories: the product's own write order in a hostile world, in memory (memory.py) or on real servers (real.py)."""
