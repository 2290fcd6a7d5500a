"""What the officer works with on the running systems: the register and its checks, retention, breaches."""
