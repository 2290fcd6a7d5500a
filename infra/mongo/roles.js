// Roles and users of Rollcall on a MongoDB, for an administrator who makes them by hand: infra/mongo/README.md.
// Made by `python -m tests.mongo_roles` from engine/provision/mongo.py; a test compares. It can be given again at any time.
const database = "rollcall", usersIn = "admin";
const roles = {
  "status_writer": [
    {
      "resource": {
        "db": "rollcall",
        "collection": "pipeline_status"
      },
      "actions": [
        "find",
        "insert",
        "update"
      ]
    }
  ],
  "discarder": [
    {
      "resource": {
        "db": "rollcall",
        "collection": "discards"
      },
      "actions": [
        "find",
        "insert",
        "update"
      ]
    }
  ],
  "snapshot_reader": [
    {
      "resource": {
        "db": "rollcall",
        "collection": "snapshots"
      },
      "actions": [
        "find"
      ]
    }
  ],
  "publisher": [
    {
      "resource": {
        "db": "rollcall",
        "collection": "snapshots"
      },
      "actions": [
        "find",
        "insert",
        "update"
      ]
    },
    {
      "resource": {
        "db": "rollcall",
        "collection": "users_by_nationality"
      },
      "actions": [
        "find"
      ]
    },
    {
      "resource": {
        "db": "rollcall",
        "collection": "users_by_email_domain"
      },
      "actions": [
        "find"
      ]
    },
    {
      "resource": {
        "db": "rollcall",
        "collection": "arrivals"
      },
      "actions": [
        "find"
      ]
    }
  ]
};
const users = {
  "stream": [
    "readWrite"
  ],
  "producer": [
    "status_writer"
  ],
  "verify": [
    "read",
    "status_writer"
  ],
  "redrive": [
    "read",
    "discarder"
  ],
  "view": [
    "snapshot_reader"
  ],
  "console": [
    "read"
  ],
  "governance": [
    "status_writer",
    "publisher"
  ],
  "inspector": [
    "read"
  ]
};

const secrets = process.env.ROLLCALL_SECRETS;
if (!secrets) throw new Error("ROLLCALL_SECRETS must be the secrets folder of the installation");
const ours = db.getSiblingDB(database), admin = db.getSiblingDB(usersIn);
for (const [role, privileges] of Object.entries(roles)) {
  ours.runCommand({[ours.getRole(role) ? "updateRole" : "createRole"]: role, privileges, roles: []});
}
for (const [user, granted] of Object.entries(users)) {
  const roles = granted.map((role) => ({role, db: database}));
  if (admin.getUser(user)) {
    admin.runCommand({updateUser: user, roles});  // whose password it has is left as it is
  } else {
    const pwd = require("fs").readFileSync(`${secrets}/${user}.password`, "utf8");
    admin.runCommand({createUser: user, pwd, roles, mechanisms: ["SCRAM-SHA-256"]});
  }
}
