"""What the containers have to be and no other file of ours says: who is with whom, who holds what, who waits for whom."""

PROFILES = ("laptop", "three")
NODES = {"laptop": 1, "three": 3}
OF_PROFILE = {"secrets": "secrets", "restore-check": "restore", "restore-check-three": "restore-three", "mongo-set": "three",
              "spark-master": "workers", "spark-worker": "workers"}
"""Service -> its profile, where its name does not say that it is one of three."""

ONCE: dict[str, dict[str, list[str]]] = {
    "provision": {"command": ["rollcall", "provision", "--new-cassandra"]},
    "mongo-set": {"entrypoint": ["mongosh", "--nodb", "--quiet", "/opt/rollcall/replicas.js"]},
    "secrets": {"command": ["rollcall", "provision", "--secrets-only"]},
    "restore-check": {"entrypoint": ["bash", "infra/containers/restore.sh"], "command": []}}
"""Roles that end when they are done, and what they do."""

AS_ITSELF = ("producer", "stream")
"""Programs that are asked as themselves how they are (infra/containers/asked.py); `rollcall status` asks as `verify`. Both
answer Prometheus, too."""

NETWORKS = {
    "kafka": {"stores"}, "cassandra": {"stores"}, "mongo": {"stores", "figures"}, "mongo-set": {"stores"},
    "provision": {"stores"}, "restore-check": {"stores"}, "stream": {"stores", "metrics"},
    "producer": {"stores", "metrics", "edge"},
    "keeper": {"stores"}, "console": {"stores", "figures", "edge"}, "view": {"figures", "public"}, "proxy": {"public", "edge"},
    "spark-master": {"stores"}, "spark-worker": {"stores"}, "secrets": set()}
"""Role -> the networks it is in, as docs/containers.md says; only `edge` leads outside."""

SETS_UP = {"provision", "producer", "stream", "fence", "governance", "verify", "redrive", "view", "console", "officer",
           "inspector", "gatekeeper", "keys"}
SECRETS = {
    "kafka": {"broker", "provision"}, "mongo": {"provision"}, "mongo-set": {"provision"}, "provision": SETS_UP,
    "restore-check": SETS_UP, "stream": {"stream", "fence", "keys"}, "producer": {"producer", "keys"},
    "keeper": {"governance", "verify", "redrive", "inspector", "keys"}, "view": {"view"},
    "console": {"stream", "fence", "governance", "verify", "redrive", "console", "officer", "inspector", "gatekeeper", "keys"}}
"""Role -> the principals as which it signs in, and the key ring; the others sign in nowhere."""

HOME, REFUSED = "/var/lib/rollcall", "/var/log/kafka"
PROXY = {"image": "nginx:1.28.0-alpine", "entrypoint": ["nginx", "-g", "daemon off;"],
         "test": ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/healthz"]}
SPARK = {
    "spark-master": "/opt/rollcall/spark.sh org.apache.spark.deploy.master.Master --host spark-master --port 7077",
    "spark-worker": "/opt/rollcall/spark.sh org.apache.spark.deploy.worker.Worker --cores 2 --memory 1500m --work-dir "
                    "/tmp/work spark://spark-master:7077"}

HEALTHY, DONE, STARTED = "service_healthy", "service_completed_successfully", "service_started"
SERVERS_OF = {
    "": {"kafka": HEALTHY, "cassandra": HEALTHY, "mongo": HEALTHY},
    "-three": {"kafka-1": HEALTHY, "kafka-2": HEALTHY, "kafka-3": HEALTHY, "cassandra-3": HEALTHY, "mongo-set": DONE}}
AWAITED = {
    "cassandra-2": {"cassandra-1": HEALTHY}, "cassandra-3": {"cassandra-2": HEALTHY},
    "mongo-set": {"mongo-1": HEALTHY, "mongo-2": HEALTHY, "mongo-3": HEALTHY}, "spark-worker": {"spark-master": STARTED},
    **{f"{name}{suffix}": servers for suffix, servers in SERVERS_OF.items() for name in ("provision", "restore-check")},
    **{f"{name}{suffix}": {f"provision{suffix}": DONE} for suffix in SERVERS_OF
       for name in ("stream", "producer", "keeper", "console", "view")},
    **{f"proxy{suffix}": {f"view{suffix}": STARTED} for suffix in SERVERS_OF}}
"""Service -> whom it waits for, and until what; the others begin at once."""

OWN = "mode=0700,uid=1000,gid=1000"
OF_A_SERVER = [f"/run/rollcall:{OWN},size=16m", "/tmp:exec,mode=1777,size=512m"]    # noqa: S108
OF_A_PROGRAM = ["/tmp:exec,mode=1777,size=512m", f"{HOME}/secrets:{OWN},size=1m"]    # noqa: S108
OF_SPARK = ["/tmp:exec,mode=1777,size=2g"]    # noqa: S108
TMPFS = {
    **dict.fromkeys(("kafka", "cassandra", "mongo", "mongo-set"), OF_A_SERVER),
    **dict.fromkeys(("provision", "restore-check", "stream", "producer", "keeper", "console", "view"), OF_A_PROGRAM),
    **dict.fromkeys(("secrets", "spark-master", "spark-worker"), OF_SPARK),
    "proxy": ["/tmp:mode=1777,size=64m"]}    # noqa: S108
"""Role -> what it may write and nobody keeps. The one over the secrets of the shared folder leaves each its own."""

JOINED: dict[str, dict[str, dict[str, object]]] = {
    **{f"cassandra-{number}": {"stores": {"ipv4_address": f"172.30.84.1{number}"}} for number in (1, 2, 3)},
    "stream-three": {"stores": {"aliases": ["stream"]}, "metrics": {"aliases": ["stream"]}},
    "producer-three": {"metrics": {"aliases": ["producer"]}}, "console-three": {"figures": {"aliases": ["console"]}},
    "view-three": {"figures": {"aliases": ["view"]}, "public": {"aliases": ["view"]}}}
"""Service -> network -> how it is there; the others by their own name. Workers, console and proxy ask for these names;
Cassandra knows its nodes by address, and takes none that comes back with another node's."""

INWARD: dict[str, dict[str, object]] = {
    "stores": {"internal": True, "ipam": {"config": [{"subnet": "172.30.84.0/24", "ip_range": "172.30.84.128/25"}]}},
    "figures": {"internal": True}, "public": {"internal": True}, "metrics": {"internal": True}}
"""The networks that lead nowhere. What the engine chooses itself in `stores` is none of the fixed addresses."""

COPIES = {
    1: {}, 3: {"ROLLCALL_KAFKA__REPLICATION": "3", "ROLLCALL_KAFKA__MIN_INSYNC_REPLICAS": "2",
               "ROLLCALL_CASSANDRA__REPLICATION": "{'class': 'NetworkTopologyStrategy', 'datacenter1': 3}",
               "ROLLCALL_CASSANDRA__CONSISTENCY": "LOCAL_QUORUM"}}
URI_OPTIONS = {1: "", 3: "?replicaSet=rollcall&w=majority"}
"""Nodes -> what makes our programs keep as many copies, and count a write when most have it; with one the defaults do."""
