// node_stores.js KIND PLACE, with NODE_PATH: what Node's store finds in PLACE, and then writes.
// KIND: connect-sqlite3 (PLACE is a file) or session-file-store (PLACE is a folder)
const path = require("path");
const session = require("express-session");

const [kind, place] = process.argv.slice(2);
const Store = require(kind)(session);
const store =
  kind === "connect-sqlite3"
    ? new Store({ dir: path.dirname(place), db: path.basename(place) })
    : new Store({ path: place, logFn() {}, retries: 0, reapInterval: -1 });

const call = (name, ...rest) =>
  new Promise((resolve, reject) =>
    store[name](...rest, (error, value) => (error ? reject(error) : resolve(value))));

async function main() {
  const found = await call("get", "python");
  const cookie = new session.Cookie({ maxAge: 60000 });
  await call("set", "node", { cookie, user: "bób", n: 1.5 });
  found.cookie = new session.Cookie({ maxAge: 90000 });
  found.views = (found.views || 0) + 1;
  await call("set", "python", found);
  console.log(JSON.stringify(found));
}
setTimeout(() => main().then(() => process.exit(0), (e) => { console.error(e); process.exit(1); }), 200);
