/**
 * What is done with a parameter of a database URL: `used`; `ignored`, with a warning; `quiet`: what it asks for is so
 * anyway, or is of no consequence; `refused`, saying what to do instead. `env` is libpq's variable of the same meaning.
 */
export interface Parameter {
  readonly kind: "used" | "ignored" | "quiet" | "refused";
  readonly env?: string;
  readonly why?: string;
}

const used = (env?: string): Parameter => ({ kind: "used", ...(env !== undefined && { env }) });
const ignored = (why: string, env?: string): Parameter => ({ ...used(env), kind: "ignored", why });
const quiet = (env?: string): Parameter => ({ ...used(env), kind: "quiet" });
const refused = (why: string, env?: string): Parameter => ({ ...used(env), kind: "refused", why });

const noKerberos = "Kerberos is not spoken";
const ownPool = "the service decides how long its connections live";
const ownDeadline = "each call has a deadline of its own";
const ownStatements = "the service decides what it prepares";

/**
 * What libpq (PostgreSQL 18, "Connection Strings" and "Environment Variables"), Prisma, Neon, Supabase, node-postgres
 * and postgres.js write into a URL.
 */
export const knownParameters: Readonly<Record<string, Parameter>> = {
  host: used("PGHOST"),
  hostaddr: used("PGHOSTADDR"),
  port: used("PGPORT"),
  dbname: used("PGDATABASE"),
  user: used("PGUSER"),
  password: used("PGPASSWORD"),
  passfile: used("PGPASSFILE"),
  password_file: used("LEARNER_DATABASE_PASSWORD_FILE"),
  connect_timeout: used("PGCONNECT_TIMEOUT"),
  target_session_attrs: used("PGTARGETSESSIONATTRS"),
  load_balance_hosts: used("PGLOADBALANCEHOSTS"),
  options: used("PGOPTIONS"),
  application_name: used("PGAPPNAME"),
  fallback_application_name: used(),
  client_encoding: used("PGCLIENTENCODING"),
  keepalives: used(),
  keepalives_idle: used(),
  keepalives_interval: ignored("the operating system decides"),
  keepalives_count: ignored("the operating system decides"),
  tcp_user_timeout: ignored(ownDeadline),

  sslmode: used("PGSSLMODE"),
  ssl: used(),
  requiressl: used("PGREQUIRESSL"),
  sslnegotiation: used("PGSSLNEGOTIATION"),
  sslrootcert: used("PGSSLROOTCERT"),
  sslcert: used("PGSSLCERT"),
  sslkey: used("PGSSLKEY"),
  sslpassword: used(),
  sslcrl: used("PGSSLCRL"),
  sslcrldir: refused("name one file with sslcrl", "PGSSLCRLDIR"),
  sslsni: used("PGSSLSNI"),
  sslcertmode: used("PGSSLCERTMODE"),
  ssl_min_protocol_version: used("PGSSLMINPROTOCOLVERSION"),
  ssl_max_protocol_version: used("PGSSLMAXPROTOCOLVERSION"),
  sslcompression: quiet("PGSSLCOMPRESSION"),
  sslkeylogfile: refused("keys are never written to a file"),
  sslaccept: used(),
  sslidentity: refused("give the certificate with sslcert and its key with sslkey, both PEM"),
  uselibpqcompat: quiet(),

  channel_binding: used("PGCHANNELBINDING"),
  require_auth: refused(
    "which way of authentication the server chooses cannot be limited",
    "PGREQUIREAUTH",
  ),
  requirepeer: refused("whose process listens on a socket is not examined", "PGREQUIREPEER"),
  scram_client_key: refused("give the password"),
  scram_server_key: refused("give the password"),
  oauth_issuer: refused("OAuth is not spoken"),
  oauth_client_id: refused("OAuth is not spoken"),
  oauth_client_secret: refused("OAuth is not spoken"),
  oauth_scope: refused("OAuth is not spoken"),
  gssencmode: used("PGGSSENCMODE"),
  gssdelegation: ignored(noKerberos, "PGGSSDELEGATION"),
  gsslib: ignored(noKerberos, "PGGSSLIB"),
  krbsrvname: ignored(noKerberos, "PGKRBSRVNAME"),
  service: refused("service files are not read", "PGSERVICE"),
  servicefile: refused("service files are not read", "PGSERVICEFILE"),
  replication: refused("the service needs an ordinary connection"),
  min_protocol_version: quiet("PGMINPROTOCOLVERSION"),
  max_protocol_version: quiet("PGMAXPROTOCOLVERSION"),

  pgbouncer: used(),
  connection_limit: used(),
  max: used(),
  schema: used(),
  pool_timeout: ignored(ownDeadline),
  socket_timeout: ignored(ownDeadline),
  statement_cache_size: ignored(ownStatements),
  prepare: ignored(ownStatements),
  single_use_connections: ignored(ownPool),
  max_connection_lifetime: ignored(ownPool),
  max_idle_connection_lifetime: ignored(ownPool),
  idle_timeout: ignored(ownPool),
  max_lifetime: ignored(ownPool),
  supa: quiet(),
  workaround: quiet(),
};
