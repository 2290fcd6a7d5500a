// Makes one replica set of MEMBERS (host:port, commas between) with the name SET, and waits until it has a primary. Again: nothing.
// Run by mongosh --nodb; the password is read from its file and stands in no argument.
const WITHIN_S = 60;

const password = require("fs").readFileSync("/run/secrets/provision.password", "utf8");
const members = process.env.MEMBERS.split(",");
const admin = new Mongo(`mongodb://${members[0]}/?directConnection=true`).getDB("admin");
if (!admin.auth("provision", password)) {
  throw new Error(`${members[0]} does not know this installation's password of 'provision'`);
}

try {
  admin.runCommand({
    replSetInitiate: {_id: process.env.SET, members: members.map((host, number) => ({_id: number, host}))},
  });
  print(`replica set ${process.env.SET}: made of ${members.join(", ")}`);
} catch (error) {
  if (error.codeName !== "AlreadyInitialized") {
    throw error;
  }
}

// which of them it is does not matter: after a restart it may be another than the first
const end = Date.now() + WITHIN_S * 1000;
while (!admin.runCommand({hello: 1}).primary) {
  if (Date.now() > end) {
    throw new Error(`replica set ${process.env.SET} has no primary after ${WITHIN_S} s`);
  }
  sleep(500);
}
