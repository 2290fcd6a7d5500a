"""The rights of people on the running systems: find, package, correct, restrict, erase, and keep an erasure after a restore."""
