"""Who may do what in Kafka: teams to rules, rules to a plan, and the broker's own way of deciding; no input, no output."""
