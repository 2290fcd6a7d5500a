"""Hop 4: where people end. Rows and markers in Cassandra, aggregates in MongoDB, dead letters in Kafka."""
