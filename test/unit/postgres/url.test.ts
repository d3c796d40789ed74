import fc from "fast-check";
import { expect, test } from "vitest";
import { passfileEntry } from "../../../src/postgres/password.ts";
import { readDatabaseUrl, targetOf } from "../../../src/postgres/url.ts";
import { knownParameters } from "../../../src/postgres/url-parameters.ts";

const base = "postgres://u:p@h/db";
const withQuery = (query: string) => readDatabaseUrl(`${base}?${query}`);

test("a plain URL names host, port, user, password and database, and encrypts nothing", () => {
  expect(targetOf("postgresql://learner:pa%3Ass@db.example:6432/bus")).toEqual({
    hosts: [{ host: "db.example", port: 6432 }],
    user: "learner",
    password: { kind: "text", text: "pa:ss" },
    database: "bus",
    tls: null,
    attributes: "any",
    shuffled: false,
    applicationName: "experience-bus",
    pooled: false,
    keepAliveSeconds: 60,
  });
});

test.each([
  ["postgres:///db", [{ host: "localhost", port: 5432 }]],
  ["postgres://h1,h2:5433/db", [5432, 5433].map((port, i) => ({ host: `h${i + 1}`, port }))],
  ["postgres://[::1]:5433/db", [{ host: "::1", port: 5433 }]],
  ["postgres://%2Frun%2Fpostgresql/db", [{ path: "/run/postgresql/.s.PGSQL.5432" }]],
  ["postgres:///db?host=/cloudsql/a:b:c", [{ path: "/cloudsql/a:b:c/.s.PGSQL.5432" }]],
  ["postgres:///db?host=h1,h2&port=1,2", [1, 2].map((port) => ({ host: `h${port}`, port }))],
  ["postgres:///db?host=h1,h2&port=7", [1, 2].map((n) => ({ host: `h${n}`, port: 7 }))],
  ["postgres://name/db?hostaddr=10.0.0.1", [{ host: "name", port: 5432, address: "10.0.0.1" }]],
])("%s is read as libpq reads it", (url, hosts) => {
  expect(targetOf(url).hosts).toEqual(hosts);
});

/** As they are printed, with what becomes of them. */
const printed: [who: string, query: string, warned: RegExp[], target: object][] = [
  [
    "Neon",
    "sslmode=require&channel_binding=require",
    [/^channel_binding=require is ignored/],
    { tls: { mode: "require" } },
  ],
  [
    "Neon without SNI",
    "options=endpoint%3Dep-1&sslmode=verify-full",
    [],
    { options: "endpoint=ep-1" },
  ],
  ["Supabase", "pgbouncer=true&connection_limit=1", [], { pooled: true, poolSize: 1 }],
  ["Supabase for Vercel", "sslmode=require&supa=base-pooler.x", [], { tls: { mode: "require" } }],
  [
    "Prisma",
    "schema=public&connection_limit=5&pool_timeout=10&connect_timeout=15&statement_cache_size=0&socket_timeout=3",
    [/^pool_timeout is ignored/, /^statement_cache_size is ignored/, /^socket_timeout is ignored/],
    { poolSize: 5, connectSeconds: 15 },
  ],
  [
    "RDS",
    "sslmode=verify-full&sslrootcert=/etc/global-bundle.pem",
    [],
    { tls: { mode: "verify-full", rootCert: "/etc/global-bundle.pem", sni: true, direct: false } },
  ],
  ["libpq", "target_session_attrs=any&load_balance_hosts=random", [], { shuffled: true }],
  ["libpq", "target_session_attrs=read-write&gssencmode=disable", [], { attributes: "read-write" }],
  [
    "libpq",
    "application_name=bus%201&fallback_application_name=x&keepalives_idle=7&keepalives_count=3&client_encoding=UTF8",
    [/^keepalives_count is ignored/],
    { applicationName: "bus 1", keepAliveSeconds: 7 },
  ],
  ["libpq", "keepalives=0", [], { keepAliveSeconds: null }],
  ["libpq", "passfile=/run/pgpass&password=", [], { password: { kind: "text", text: "p" } }],
  ["node-postgres", "sslmode=no-verify&uselibpqcompat=true", [], { tls: { mode: "require" } }],
  ["JDBC", "ssl=true", [], { tls: { mode: "verify-full" } }],
  ["postgres.js", "ssl=require&max=3&idle_timeout=5", [/^idle_timeout/], { poolSize: 3 }],
];

test.each(printed)(
  "%s prints %s, and it is used or warned of by name",
  (_, query, warned, target) => {
    const found = withQuery(query);
    expect(found.problems).toEqual([]);
    expect(found.warnings).toHaveLength(warned.length);
    for (const [i, warning] of found.warnings.entries()) expect(warning).toMatch(warned[i] ?? /$^/);
    expect(found.target).toMatchObject(target);
  },
);

test.each([
  ["sslmode=disable", null],
  ["sslmode=allow", { mode: "prefer" }],
  ["sslmode=prefer", { mode: "prefer" }],
  ["sslmode=require", { mode: "require" }],
  ["sslmode=require&sslrootcert=/ca.pem", { mode: "verify-ca", rootCert: "/ca.pem" }],
  ["sslmode=verify-ca", { mode: "verify-ca" }],
  ["sslmode=VERIFY-FULL", { mode: "verify-full" }],
  ["sslrootcert=system", { mode: "verify-full" }],
  ["requiressl=1", { mode: "require" }],
  [
    "sslmode=require&sslcert=/c&sslkey=/k&sslpassword=s",
    { cert: "/c", key: "/k", passphrase: "s" },
  ],
  ["sslmode=require&sslnegotiation=direct&sslsni=0", { direct: true, sni: false }],
  ["sslmode=verify-ca&sslcrl=/crl", { crl: "/crl" }],
  [
    "sslmode=require&ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.3",
    { minVersion: "TLSv1.3", maxVersion: "TLSv1.3" },
  ],
])("%s is obeyed", (query, tls) => {
  const found = withQuery(query);
  expect(found.problems).toEqual([]);
  expect(found.warnings).toEqual([]);
  if (tls === null) expect(found.target.tls).toBe(null);
  else expect(found.target.tls).toMatchObject(tls);
});

test.each([
  ["sslmode=verify", "sslmode must be one of"],
  ["sslrootcert=system&sslmode=require", "sslrootcert=system needs sslmode=verify-full"],
  ["sslmode=require&sslcert=/c", "sslcert and sslkey go together"],
  ["sslnegotiation=direct", "sslnegotiation=direct needs sslmode"],
  ["sslmode=require&sslcrl=/crl", "sslcrl needs sslmode=verify-ca"],
  ["sslmode=require&sslcertmode=require", "sslcertmode=require needs sslcert"],
  ["sslmode=require&sslaccept=strict", "sslaccept=strict is said as sslmode=verify-full"],
  ["sslcrldir=/d", "sslcrldir: name one file"],
  ["ssl_min_protocol_version=SSLv3", "ssl_min_protocol_version must be one of"],
  ["gssencmode=require", "gssencmode must be one of disable, prefer"],
  ["require_auth=scram-sha-256", "require_auth: "],
  ["service=x", "service: service files are not read"],
  ["target_session_attrs=master", "target_session_attrs must be one of"],
  ["connection_limit=0", "connection_limit must be a whole number"],
  ["schema=other", "schema must be one of public"],
  ["client_encoding=latin1", "client_encoding must be one of"],
  ["password_file=/f", "password_file and a password: choose one"],
  ["statement_timeout=5", "statement_timeout: unknown"],
  ["foo=1", "foo: unknown"],
  ["__proto__=1", "unknown"],
  ["constructor=1", "constructor: unknown"],
])("%s is refused: %s", (query, problem) => {
  expect(withQuery(query).problems).toEqual([expect.stringContaining(problem)]);
  expect(() => targetOf(`${base}?${query}`)).toThrow(problem);
});

test("each parameter that is known is read, warned of, refused or of no consequence", () => {
  for (const [name, { kind }] of Object.entries(knownParameters)) {
    const { problems, warnings } = withQuery(`${name}=strange`);
    const said = [...problems, ...warnings].some((line) => line.startsWith(name));
    if (kind === "ignored" || kind === "refused") expect(said, name).toBe(true);
    if (kind === "quiet") expect([...problems, ...warnings], name).toEqual([]);
    expect(problems.join(), name).not.toContain(`${name}: unknown`);
  }
});

test.each([
  "mysql://u:hunter2@h/db",
  "u:hunter2@h",
  "postgres://u:hunter2#@h/db",
  "postgres://u:hunter2/x@h/db",
  "postgres://u:hunter2?x@h/db",
  "postgres://u:hunter2%@h/db",
  "postgres://u:hunter2@h:port/db",
  "postgres://u:hunter2@[::1/db",
  "postgres://u:hunter2@h/db?%=1",
  "host=h password=hunter2",
])("%s is no URL, and nothing of it is told", (url) => {
  expect(() => targetOf(url)).toThrow(/is not like postgres:\/\/user:password@host:port\/database/);
  expect(() => targetOf(url)).not.toThrow(/hunter2/);
});

test("a piece of a password that is taken for a parameter is not told", () => {
  const url = "postgres://u:1?!hunter2=x@h/db";
  expect(() => targetOf(url)).toThrow("unknown");
  expect(() => targetOf(url)).not.toThrow(/hunter2/);
});

test("whatever the password, encoded it arrives as it is, and is in no sentence", () => {
  const secret = fc
    .string({ unit: "grapheme", minLength: 6 })
    .filter((text) => text.isWellFormed());
  fc.assert(
    fc.property(secret, fc.constantFrom("", "?sslmode=wrong", "?foo=1", ",:0"), (text, more) => {
      const encoded = encodeURIComponent(text);
      expect(targetOf(`postgres://u:${encoded}@h/db`).password).toEqual({ kind: "text", text });
      const inQuery = targetOf(`postgres://u@h/db?password=${encoded}`);
      expect(inQuery.password).toEqual({ kind: "text", text });
      const { problems } = readDatabaseUrl(
        `postgres://u@h/db?secret%20=${encoded}${more.slice(1)}`,
      );
      expect(problems.join()).toContain("a parameter: unknown");
    }),
  );
});

test.each([
  ["h:5432:db:u:first\n*:*:*:*:second", "first"],
  ["other:5432:db:u:first\n*:*:*:*:second", "second"],
  ["# h:5432:db:u:no\nh:*:db:u:with\\:colon\\\\", "with:colon\\"],
  ["h:5432:db:another:no", undefined],
  ["h:5432:db:u:", undefined],
  ["", undefined],
])("a line of a passfile like %j gives %j", (text, password) => {
  const login = { database: "db", user: "u" };
  expect(passfileEntry(text, login, { host: "h", port: 5432 })).toBe(password);
});

test("a socket is called localhost in a passfile", () => {
  const address = { path: "/run/postgresql/.s.PGSQL.5433" };
  const login = { database: "", user: "u" };
  expect(passfileEntry("localhost:5433:u:u:secret", login, address)).toBe("secret");
});
