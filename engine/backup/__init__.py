"""Copies of an installation: made between two turns into a folder, and put back into an empty one before it opens."""
