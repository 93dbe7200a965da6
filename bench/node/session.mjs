// Measures express-session when it is told to: bench/middlewares/express_session.py talks to it.
//
// Orders and answers are lines of JSON:
//   {"prepare": {column, data, before, after, secret}}  ->  {"cell": n}     once it has proved itself
//   {"run": "peer" or "bare", "cell": n, "calls": m}    ->  {"seconds": s}
// What it can't do it answers by {"error": text}, and ends.
//
// No sockets: requests and responses are node:http's own objects, with nothing behind them. The
// store answers by setImmediate, so requests start sixteen at a time and share the turns of the
// event loop, as they do in a server that has something to do.
//
// Seconds are process.cpuUsage(): CPU of the whole process, so that a busy neighbour isn't
// measured. hrtime would be wall time. V8's helper threads (collector, compiler) are in it, which
// is right: they work for the session.

import { IncomingMessage, ServerResponse } from 'node:http'
import process from 'node:process'
import { createInterface } from 'node:readline'

import session from 'express-session'

const TOGETHER = 16
const WARM_UP = 10_000 // calls of each contestant before its first turn: V8 has then compiled it

let visits = 4
const COLUMNS = {
  'no cookie, untouched': { cookie: 'none', action: null },
  'valid, untouched': { cookie: 'valid', action: null },
  'reads a key': { cookie: 'valid', action: (kept) => kept.user },
  'writes a key': { cookie: 'valid', action: (kept) => { kept.visits = visits++ } },
  'new session': { cookie: 'none', action: (kept) => { kept.user = 'ada' } },
  'forged cookie': { cookie: 'forged', action: (kept) => kept.user },
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
    if (action !== null) action(req.session)
    res.setHeader('Content-Type', 'text/plain')
    res.end('ok')
  }
}

// A chain of two, as connect and express make it of `use(middleware)` and `use(handle)`.
function chain (middleware, handle) {
  return (req, res) => middleware(req, res, (error) => {
    if (error) throw error
    handle(req, res)
  })
}

function start (app, cookie, done) {
  const req = new IncomingMessage(null)
  req.method = 'GET'
  req.url = '/articles/7'
  req.headers = { host: 'example.org', accept: 'text/html', 'user-agent': 'a browser' }
  if (cookie) req.headers.cookie = cookie
  const res = new Response(req)
  res.done = done
  app(req, res)
}

// The name=value pair of the cookie that one request brings, or undefined.
function ask (app, cookie) {
  return new Promise((resolve) => {
    start(app, cookie, (res) => {
      if (res.statusCode !== 200) throw new Error(`answered ${res.statusCode}`)
      resolve([res.getHeader('set-cookie') ?? []].flat()[0]?.split(';')[0])
    })
  })
}

async function timed (app, cookie, calls) {
  const before = process.cpuUsage()
  for (let left = calls; left > 0; left -= TOGETHER) {
    let open = Math.min(left, TOGETHER)
    await new Promise((resolve) => {
      const done = () => { if (--open === 0) resolve() }
      for (let n = open; n > 0; n--) start(app, cookie, done)
    })
  }
  const took = process.cpuUsage(before)
  return (took.user + took.system) / 1e6
}

function must (held, fault) {
  if (!held) throw new Error(fault)
}

async function prepare ({ column, data, before, after, secret }) {
  const store = new session.MemoryStore()
  const middleware = session({
    store, secret, resave: false, saveUninitialized: false, cookie: { sameSite: 'lax' },
  })
  const app = (action) => chain(middleware, handler(action))
  const header = (pair) => [before, pair, after].filter(Boolean).join('; ')
  const seen = async (cookie) => {
    let found
    await ask(app((kept) => { found = JSON.parse(JSON.stringify(kept)) }), cookie)
    delete found.cookie
    return found
  }

  const { cookie: kind, action } = COLUMNS[column]
  const pair = await ask(app((kept) => { Object.assign(kept, data) }))
  must(pair, 'no cookie was set')
  const place = pair.length - 9
  const forged = pair.slice(0, place) + (pair[place] === 'A' ? 'B' : 'A') + pair.slice(place + 1)
  const cookie = header({ none: '', valid: pair, forged }[kind])
  const measured = app(action)

  const held = await seen(header(pair))
  must(JSON.stringify(held) === JSON.stringify(data), 'the session was not read back')
  must((await seen(header(forged))).user === undefined, 'a forged cookie was believed')
  const made = await ask(measured, cookie)
  if (column === 'writes a key') {
    must((await seen(cookie)).visits !== held.visits, 'what was written was not there afterwards')
  } else if (column === 'new session') {
    must(made, 'no cookie was set')
    must((await seen(header(made))).user === 'ada', 'the new session was lost')
  } else {
    must(made === undefined, 'a cookie was set')
  }

  const emptied = () => { if (kind !== 'valid') store.sessions = Object.create(null) }
  const contestants = { peer: measured, bare: handler(null) }
  const run = async (who, calls) => {
    emptied()
    return timed(contestants[who], cookie, calls)
  }
  for (const who of Object.keys(contestants)) await run(who, WARM_UP)
  return run
}

let cell = 0
let run = null

async function answer (order) {
  if (order.prepare) {
    run = await prepare(order.prepare)
    return { cell: ++cell }
  }
  must(order.cell === cell, 'another cell was prepared since')
  return { seconds: await run(order.run, order.calls) }
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
