"""Rotation: keys and passwords are exchanged while everything runs (docs/decisions/0022-rotation.md)."""
