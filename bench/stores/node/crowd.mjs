// Loads express-session with connect-redis as bench/stores/crowd.py loads ours; express.py talks to it.
//
// Orders and answers are lines of JSON:
//   {"prepare": {url, data, before, after, secret, lanes}}  ->  {"ready": true}   it has proved itself
//   {"run": column, "calls": n}                             ->  {"wall": s, "cpu": s}
// What it can't do it answers by {"error": text}, and ends.
//
// No HTTP server: requests and responses are node:http's own objects, with nothing behind them.

import { randomBytes } from 'node:crypto'
import { IncomingMessage, ServerResponse } from 'node:http'
import process from 'node:process'
import { createInterface } from 'node:readline'

import { RedisStore } from 'connect-redis'
import session from 'express-session'
import { createClient } from 'redis'

let visits = 4
const ACTIONS = {
  untouched: () => {},
  read: (kept) => kept.user,
  write: (kept) => { kept.visits = visits++ },
}

class Response extends ServerResponse {
  // The one listener: called when the response has ended.
  done = null

  end (chunk, encoding) {
    const ended = super.end(chunk, encoding)
    this.done(this)
    return ended
  }
}

function handler (action) {
  return (req, res) => {
    action(req.session)
    res.setHeader('Content-Type', 'text/plain')
    res.end('ok')
  }
}

function chain (middleware, handle) {
  return (req, res) => middleware(req, res, (error) => {
    if (error) throw error
    handle(req, res)
  })
}

function ask (app, cookie) {
  return new Promise((resolve) => {
    const req = new IncomingMessage(null)
    req.method = 'GET'
    req.url = '/articles/7'
    req.headers = { host: 'example.org', accept: 'text/html', 'user-agent': 'a browser', cookie }
    const res = new Response(req)
    res.done = resolve
    app(req, res)
  })
}

async function lane (app, cookie, laps) {
  for (let n = 0; n < laps; n++) await ask(app, cookie)
}

function must (held, fault) {
  if (!held) throw new Error(fault)
}

async function prepare ({ url, data, before, after, secret, lanes }) {
  const client = createClient({ url })
  await client.connect()
  const store = new RedisStore({ client, prefix: `bench-${randomBytes(4).toString('hex')}:` })
  const middleware = session({
    store, secret, resave: false, saveUninitialized: false, cookie: { sameSite: 'lax' },
  })
  const app = (action) => chain(middleware, handler(action))
  const header = (pair) => [before, pair, after].filter(Boolean).join('; ')
  const cookies = []
  for (let n = 0; n < lanes; n++) {
    const res = await ask(app((kept) => { Object.assign(kept, data) }), header(''))
    cookies.push(header([res.getHeader('set-cookie')].flat()[0].split(';')[0]))
  }
  const seen = async () => Promise.all(cookies.map(async (cookie) => {
    let found
    await ask(app((kept) => { found = { ...kept } }), cookie)
    return found
  }))
  const apps = Object.fromEntries(Object.entries(ACTIONS).map(([k, v]) => [k, app(v)]))
  for (const found of await seen()) must(found.user === data.user, 'a session was not read back')
  await ask(apps.write, cookies[0])
  must((await seen())[0].visits === 4, 'what was written was not there afterwards')
  return async (column, calls) => {
    const laps = Math.max(1, Math.floor(calls / lanes))
    const used = process.cpuUsage()
    const began = process.hrtime.bigint()
    await Promise.all(cookies.map((cookie) => lane(apps[column], cookie, laps)))
    const wall = Number(process.hrtime.bigint() - began) / 1e9
    const { user, system } = process.cpuUsage(used)
    const share = calls / (laps * lanes)
    return { wall: wall * share, cpu: (user + system) / 1e6 * share }
  }
}

let run = null

async function answer (order) {
  if (order.prepare) {
    run = await prepare(order.prepare)
    return { ready: true }
  }
  return run(order.run, order.calls)
}

for await (const line of createInterface({ input: process.stdin })) {
  const late = setTimeout(() => { throw new Error('an order took more than a minute') }, 60_000)
  try {
    console.log(JSON.stringify(await answer(JSON.parse(line))))
  } catch (error) {
    console.log(JSON.stringify({ error: error.message }))
    break
  } finally {
    clearTimeout(late)
  }
}
process.exit()
