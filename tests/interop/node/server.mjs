// server.mjs CONFIG: Express with each profile's session middleware under /PROFILE, on one store.
// CONFIG: {modules, layout, place, profiles} as JSON; profiles are options of express-session.
// Prints its port, and ends with its stdin.
import { createRequire } from "node:module";

const config = JSON.parse(process.argv[2]);
const from = createRequire(config.modules + "/");
const express = from("express");
const session = from("express-session");

const STORES = {
  "connect-redis": async ({ url }) => {
    const client = from("redis").createClient({ url });
    await client.connect();
    const { RedisStore } = from("connect-redis");
    return () => new RedisStore({ client });
  },
  "connect-pg-simple": async ({ url, table }) => {
    const pool = new (from("pg").Pool)({ connectionString: url });
    const Store = from("connect-pg-simple")(session);
    return () => new Store({ pool, tableName: table, createTableIfMissing: true });
  },
  "connect-memcached": async ({ hosts }) => {
    const client = new (from("memcached"))(hosts);
    const Store = from("connect-memcached")(session);
    return () => new Store({ client });
  },
  "session-file-store": async ({ path }) => {
    const Store = from("session-file-store")(session);
    return () => new Store({ path, retries: 0, logFn() {} });
  },
  "connect-sqlite3": async ({ dir, db }) => {
    const Store = from("connect-sqlite3")(session);
    const make = () => new Store({ dir, db });
    await new Promise((ready) => make().client.on("connect", ready));
    return make;
  },
};

const NATIVE = {
  date: new Date(1700000000123),
  float: 1.0,
  small: 1e-7,
  large: 1e21,
  negative: -0,
  nothing: NaN,
  buffer: Buffer.from("hi"),
  list: [1, [2.5]],
};

const call = (start) => new Promise((done, fail) => start((e) => (e ? fail(e) : done())));

const ACTIONS = {
  look: async () => {},
  set: async (req) => void Object.assign(req.session, req.body),
  drop: async (req) => req.body.keys.forEach((key) => delete req.session[key]),
  native: async (req) => void Object.assign(req.session, NATIVE),
  undefine: async (req) =>
    void Object.assign(req.session, { gone: undefined, list: [undefined, () => 1] }),
  age: async (req) => {
    const { seconds, ...data } = req.body;
    req.session.cookie.maxAge = seconds * 1000;
    Object.assign(req.session, data);
  },
  regenerate: async (req) => {
    await call((done) => req.session.regenerate(done));
    Object.assign(req.session, req.body);
  },
  destroy: async (req) => call((done) => req.session.destroy(done)),
  unset: async (req) => void (req.session = null),
};

async function main() {
  const app = express();
  app.set("etag", false);
  app.use(express.json());
  const make = await STORES[config.layout](config.place);
  for (const [name, options] of Object.entries(config.profiles)) {
    // a store of its own for each: the middleware puts its `generate` on it
    app.use("/" + name, session({ ...options, store: make() }));
  }
  app.post("/:profile/:action", async (req, res) => {
    await ACTIONS[req.params.action](req);
    const { cookie, ...data } = req.session || { cookie: null };
    const age = cookie && cookie.originalMaxAge;
    const left = cookie && cookie.expires ? (cookie.expires - Date.now()) / 1000 : null;
    res.json({ data, left, age: typeof age === "number" ? age / 1000 : null });
  });
  const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
}

process.stdin.resume().on("end", () => process.exit());
main().catch((error) => {
  console.error(error);
  process.exit(1);
});
