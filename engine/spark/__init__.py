"""Hop 3 on Spark: the session, a batch as a data frame, the column rules, what fails there and what hangs."""
