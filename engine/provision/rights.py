"""What the account must be allowed with which a system elsewhere is set up: what `rollcall provision` asks of each."""

from engine.secrets import PRINCIPALS
from engine.settings import Settings
from engine.tls import trust
from engine.topics import all_topics

KAFKA_CLUSTER = ("ALTER", "DESCRIBE")
KAFKA_TOPICS = ("CREATE", "ALTER", "DESCRIBE", "ALTER_CONFIGS", "DESCRIBE_CONFIGS")
"""Operations, as Kafka calls them in rules."""


def needed_rights(settings: Settings) -> str:
    """The rights by system, in words that its administrator knows; no account of ours that runs day by day has them."""
    topics = ", ".join(topic.name for topic in all_topics(settings.kafka))
    keyspace, database, users_in = settings.cassandra.keyspace, settings.mongo.database, settings.mongo.auth_source
    return f"""Kafka ({trust.kafka_protocol(settings)}, SCRAM-SHA-256; an authorizer that refuses what no rule allows)
  cluster: {", ".join(KAFKA_CLUSTER)} (rules and SCRAM users of our names)
  topics {topics}: {", ".join(KAFKA_TOPICS)}
Cassandra (PasswordAuthenticator, CassandraAuthorizer, dynamic_data_masking_enabled)
  a superuser: it makes keyspace {keyspace}, its tables and masks, roles of our names, and what these may do
MongoDB (SCRAM-SHA-256; users stand in {users_in})
  userAdminAnyDatabase on admin: users of our names, and roles in {database}
  readWrite and dbAdmin on {database}: collections and indexes
  (FerretDB has no roles: any user)
Users of our names: {", ".join(name for name in PRINCIPALS if name not in ("broker", "provision"))}"""
