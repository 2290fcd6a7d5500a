"""Access to Kafka on the running broker: rules read, a plan applied and read back, users, refusals from its log."""
