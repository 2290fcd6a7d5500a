"""infra/mongo/roles.js, made from the rights in engine/provision/mongo.py.

    .venv/bin/python -m tests.mongo_roles > infra/mongo/roles.js
"""

import json

from engine.provision.mongo import privileges, wanted_roles
from engine.settings import Mongo

SCRIPT = """// Roles and users of Rollcall on a MongoDB, for an administrator who makes them by hand: infra/mongo/README.md.
// Made by `python -m tests.mongo_roles` from engine/provision/mongo.py; a test compares. It can be given again at any time.
const database = %(database)s, usersIn = %(users_in)s;
const roles = %(roles)s;
const users = %(users)s;

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
"""


def script(mongo: Mongo) -> str:
    """The whole file."""
    users = {user: [role["role"] for role in roles] for user, roles in wanted_roles(mongo).items()}
    return SCRIPT % {"database": json.dumps(mongo.database), "users_in": json.dumps(mongo.auth_source),
                     "roles": json.dumps(privileges(mongo), indent=2), "users": json.dumps(users, indent=2)}


if __name__ == "__main__":
    print(script(Mongo()), end="")
