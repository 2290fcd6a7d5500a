"""Measurements and proofs that take longer than a test may; each is one command (see docs/operating.md)."""
