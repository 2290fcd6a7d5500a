"""The Dash view: a process of its own that reads aggregates and nothing else."""
