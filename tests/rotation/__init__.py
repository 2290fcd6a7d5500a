"""Rotation of keys and passwords, without servers."""
