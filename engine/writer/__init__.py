"""The single writer: the order of its writes, what keeps it single, what it lost, what it stands still for."""
