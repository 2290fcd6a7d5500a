"""Access to Kafka, carried out: what is wanted is kept, compared with the broker, applied step by step and read back."""
