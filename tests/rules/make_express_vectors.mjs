// Prints the golden vectors of test_codec_express.py, from Node's own JSON.stringify:
//   node tests/rules/make_express_vectors.mjs > tests/rules/express_vectors.json
//
// numbers: [the double's eight octets in hex, JSON]     dates: [ms after 1970, JSON]
// strings: [UTF-16 code units, JSON]                    values: {name: JSON}
// records: [JSON of whole sessions]

const NUMBERS = [
  0, -0, 1, -1, 1.5, 0.1, -0.1, 1 / 3, 100, 1e15, 123456789012345680, 1e16, 1e17, 1e20, 1e21, 1e22,
  999999999999999900000, 1.5e20, 1.2345e21, 123456789.125, 2 ** 53, 2 ** 53 - 1, 2 ** 53 + 2,
  2 ** 63, 2 ** 64, -(2 ** 63), 0.001, 1e-4, 1e-5, 1.5e-5, 1e-6, 1.25e-6, 9.9e-7, 1e-7, 1.5e-7,
  1e-10, 1.5e300, 1.7976931348623157e308, 2.2250738585072014e-308, 5e-324, -5e-324, 4.35,
  0.000001234, 1e100, NaN, Infinity, -Infinity,
];

// a fixed sequence of arbitrary doubles (splitmix64)
let state = 20231114n;
function* arbitrary(count) {
  const mask = 2n ** 64n - 1n;
  for (let i = 0; i < count; i++) {
    state = (state + 0x9e3779b97f4a7c15n) & mask;
    let z = state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
    const octets = Buffer.alloc(8);
    octets.writeBigUInt64BE(z ^ (z >> 31n));
    yield octets.readDoubleBE();
  }
}

function* powers() {
  for (let power = -25; power <= 25; power++) {
    yield Number(`1e${power}`);
    yield Number(`1.25e${power}`);
    yield Number(`-9.876543210123456e${power}`);
  }
}

function hex(number) {
  const octets = Buffer.alloc(8);
  octets.writeDoubleBE(number);
  return octets.toString("hex");
}

const DATES = [
  0, -1, 1, 999, 1700000060123, 1700000060000, -62135596800000, -62167219200000, -62167219200001,
  253402300799999, 253402300800000, 8640000000000000, -8640000000000000, 951782400000,
  -62198755200000, 13569465600000,
];

const units = (text) => Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
const controls = Array.from({ length: 0x21 }, (_, i) => String.fromCharCode(i)).join("");
const STRINGS = [
  "", controls, '"\\/', "\u007f\u0080\u00a0\u2028\u2029\ufeff\uffff", "bób", "😀",
  "\ud800", "\udc00", "\udfff\ud800", "a\ud83dz", "\ude00\ud83d", "\ud83d\ude00\ud83d", "<script>&",
];

const at = new Date(1700000060123);
const VALUES = {
  nothing: {},
  indices_first: { b: 1, 2: 1, 10: 1, "01": 1, 1: 1, a: { z: 1, 0: 1 } },
  index_limits: { x: 1, 4294967295: 1, 4294967294: 1, "-1": 1, "1.5": 1, " 1": 1, "1e3": 1 },
  dates: { at, inside: [at], long_ago: new Date(-62167219200001) },
  invalid_date_and_numbers: { a: NaN, b: [Infinity, -Infinity], c: -0, d: 1.0 },
  buffer: { raw: Buffer.from("hi"), none: Buffer.alloc(0) },
  great_numbers: { a: 2 ** 53 + 2, b: [2 ** 64, 10 ** 20, 10 ** 21], c: -(2 ** 70) },
  lone_surrogates: { "\ud800": "\udfff", "é": ["\ud83d", "😀"] },
  nested: { cart: [{ sku: "a", price: 20.0, qty: 2 }, { sku: "b", price: 19.99, qty: 1 }], e: {} },
};

// express-session's Cookie.toJSON gives its attributes in this order
const ORDER = ["originalMaxAge", "partitioned", "priority", "expires", "secure", "httpOnly",
  "domain", "path", "sameSite"];
const cookie = (given) =>
  Object.fromEntries(ORDER.filter((name) => name in given).map((name) => [name, given[name]]));

const plain = { originalMaxAge: null, expires: null, httpOnly: true, path: "/" };
const timed = { originalMaxAge: 60000, expires: at, httpOnly: true, path: "/" };
const every = {
  originalMaxAge: 60000, partitioned: true, priority: "high", expires: at, secure: true,
  httpOnly: true, domain: "example.com", path: "/p", sameSite: "none",
};
const RECORDS = [
  { cookie: plain },
  { cookie: plain, user: "bob" },
  { cookie: plain, user: "bób" },
  { cookie: timed, user: "bób" },
  { cookie: every },
  { cookie: cookie({ ...plain, secure: false, sameSite: false }) },
  { cookie: { originalMaxAge: false, expires: false, httpOnly: true, path: "/" }, n: 1 },
  { cookie: { ...timed, originalMaxAge: 59999 }, n: 0.1, seen: at },
  { cookie: { ...timed, originalMaxAge: 1, expires: new Date(253402300800000) } },
  { cookie: { ...timed, originalMaxAge: -1, expires: new Date(-1) } },
  { cookie: cookie({ ...plain, partitioned: null, priority: null, secure: null, domain: null }) },
  { cookie: cookie({ ...plain, path: '/"{}\\', sameSite: true, secure: 1 }), a: "},{" },
  { cookie: { ...timed, path: "/\ud800" }, user: "\udc00" },
  { user: "bob", cookie: plain },
  { user: "bob", cookie: plain, cart: [1, 2], more: { cookie: plain } },
  { cookie: plain, 2: "two", 1: "one", 0: [], b: {} },
  { b: 1, cookie: plain, 7: true, a: null },
  { cookie: {}, views: 1 },
  { cookie: plain, deep: [[[[{ a: [{ 1: 1e21, x: 1e-7 }] }]]]] },
  { cookie: plain, passport: { user: 42 }, flash: { error: ["no"] }, "__lastAccess": 1795444967435 },
];

const numbers = [...NUMBERS, ...powers(), ...arbitrary(400)];
const lines = {
  node: process.version,
  numbers: numbers.map((number) => [hex(number), JSON.stringify(number)]),
  dates: DATES.map((ms) => [ms, JSON.stringify(new Date(ms))]),
  strings: STRINGS.map((text) => [units(text), JSON.stringify(text)]),
  values: Object.fromEntries(Object.entries(VALUES).map(([k, v]) => [k, JSON.stringify(v)])),
  records: RECORDS.map((record) => JSON.stringify(record)),
};

// one vector a line, in ASCII, so that a difference can be read
const ascii = (value) =>
  JSON.stringify(value).replace(/[^\x20-\x7e]/g, (c) =>
    "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
const rows = (list) => "[\n" + list.map((row) => "  " + ascii(row)).join(",\n") + "\n ]";
const values = Object.entries(lines.values).map(([k, v]) => `  ${ascii(k)}: ${ascii(v)}`);
console.log(`{
 "node": ${ascii(lines.node)},
 "numbers": ${rows(lines.numbers)},
 "dates": ${rows(lines.dates)},
 "strings": ${rows(lines.strings)},
 "values": {\n${values.join(",\n")}\n },
 "records": ${rows(lines.records)}
}`);
