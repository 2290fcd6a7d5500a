"""The flow: people -> Kafka -> Spark -> Cassandra and MongoDB, one module a hop."""
