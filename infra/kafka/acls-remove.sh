#!/bin/sh
# Takes exactly the same rules away again, refusals last; others stay:
# Made by `rollcall access export-scripts`; README.md beside it says how to use it.
set -eu
: "${BOOTSTRAP:?host:port of a broker}" "${CONFIG:?file with the sign-in of an administrator}"

#   rollcall's console may see the partitions of topic 'user_profiles' from any address
#   rollcall's console may see the partitions of topic 'user_profiles.control' from any address
#   rollcall's console may see the partitions of topic 'user_profiles.dead' from any address
#   rollcall's console may read topic 'user_profiles.dead' from any address
#   rollcall's governance may delete topic 'user_profiles' and records in it from any address
#   rollcall's governance may delete topic 'user_profiles.dead' and records in it from any address
#   rollcall's governance may see the partitions of topic 'user_profiles.control' from any address
#   rollcall's governance may write to topic 'user_profiles.control' from any address
#   rollcall's inspector may see the partitions of topic 'user_profiles' from any address
#   rollcall's inspector may see the settings of topic 'user_profiles' from any address
#   rollcall's inspector may read topic 'user_profiles' from any address
#   rollcall's inspector may see the partitions of topic 'user_profiles.control' from any address
#   rollcall's inspector may see the settings of topic 'user_profiles.control' from any address
#   rollcall's inspector may see the partitions of topic 'user_profiles.dead' from any address
#   rollcall's inspector may see the settings of topic 'user_profiles.dead' from any address
#   rollcall's inspector may read topic 'user_profiles.dead' from any address
#   rollcall's producer may write to topic 'user_profiles' from any address
#   rollcall's producer may write to topic 'user_profiles.dead' from any address
#   rollcall's redrive may see the partitions of topic 'user_profiles' from any address
#   rollcall's redrive may read topic 'user_profiles' from any address
#   rollcall's redrive may write to topic 'user_profiles' from any address
#   rollcall's redrive may see the partitions of topic 'user_profiles.dead' from any address
#   rollcall's redrive may read topic 'user_profiles.dead' from any address
#   rollcall's redrive may write to topic 'user_profiles.dead' from any address
#   rollcall's stream may see the partitions of topic 'user_profiles' from any address
#   rollcall's stream may read topic 'user_profiles' from any address
#   rollcall's stream may write to topic 'user_profiles' from any address
#   rollcall's stream may see the partitions of topic 'user_profiles.control' from any address
#   rollcall's stream may read topic 'user_profiles.control' from any address
#   rollcall's stream may see the partitions of topic 'user_profiles.dead' from any address
#   rollcall's stream may write to topic 'user_profiles.dead' from any address
#   rollcall's verify may see the partitions of topic 'user_profiles' from any address
#   rollcall's verify may read topic 'user_profiles' from any address
#   rollcall's verify may see the partitions of topic 'user_profiles.control' from any address
#   rollcall's verify may read topic 'user_profiles.control' from any address
#   rollcall's verify may see the partitions of topic 'user_profiles.dead' from any address
#   rollcall's verify may read topic 'user_profiles.dead' from any address
#   rollcall's gatekeeper may change rules and passwords of everybody from any address
#   rollcall's gatekeeper may see the cluster, its groups, users and rules from any address
#   rollcall's inspector may see the cluster, its groups, users and rules from any address

kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --remove --force --allow-principal User:console --allow-host '*' --operation Describe --topic user_profiles
kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --remove --force --allow-principal User:console --allow-host '*' --operation Describe --topic user_profiles.control
kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --remove --force --allow-principal User:console --allow-host '*' --operation Describe --operation Read --topic user_profiles.dead
kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --remove --force --allow-principal User:governance --allow-host '*' --operation Delete --topic user_profiles
kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --remove --force --allow-principal User:governance --allow-host '*' --operation Delete --topic user_profiles.dead
kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --remove --force --allow-principal User:governance --allow-host '*' --operation Describe --operation Write --topic user_profiles.control
kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --remove --force --allow-principal User:inspector --allow-host '*' --operation Describe --operation DescribeConfigs --operation Read --topic user_profiles
kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --remove --force --allow-principal User:inspector --allow-host '*' --operation Describe --operation DescribeConfigs --topic user_profiles.control
kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --remove --force --allow-principal User:inspector --allow-host '*' --operation Describe --operation DescribeConfigs --operation Read --topic user_profiles.dead
kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --remove --force --allow-principal User:producer --allow-host '*' --operation Write --topic user_profiles
kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --remove --force --allow-principal User:producer --allow-host '*' --operation Write --topic user_profiles.dead
kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --remove --force --allow-principal User:redrive --allow-host '*' --operation Describe --operation Read --operation Write --topic user_profiles
kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --remove --force --allow-principal User:redrive --allow-host '*' --operation Describe --operation Read --operation Write --topic user_profiles.dead
kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --remove --force --allow-principal User:stream --allow-host '*' --operation Describe --operation Read --operation Write --topic user_profiles
kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --remove --force --allow-principal User:stream --allow-host '*' --operation Describe --operation Read --topic user_profiles.control
kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --remove --force --allow-principal User:stream --allow-host '*' --operation Describe --operation Write --topic user_profiles.dead
kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --remove --force --allow-principal User:verify --allow-host '*' --operation Describe --operation Read --topic user_profiles
kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --remove --force --allow-principal User:verify --allow-host '*' --operation Describe --operation Read --topic user_profiles.control
kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --remove --force --allow-principal User:verify --allow-host '*' --operation Describe --operation Read --topic user_profiles.dead
kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --remove --force --allow-principal User:gatekeeper --allow-host '*' --operation Alter --operation Describe --cluster
kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" --remove --force --allow-principal User:inspector --allow-host '*' --operation Describe --cluster
