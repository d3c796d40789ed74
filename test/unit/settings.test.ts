import { describe, expect, test } from "vitest";
import { readSettings, surveySettings, wantsEmbeddedServers } from "../../src/settings/index.ts";

const servers = {
  NATS_URL: "nats://127.0.0.1:4222",
  LEARNER_DATABASE_URL: "postgres://learner@127.0.0.1:5432/bus",
};
const read = (env: Record<string, string | undefined> = {}) => readSettings({ ...servers, ...env });

/** The lines of the refusal, the first of which counts the others. */
function problemsOf(env: Record<string, string | undefined>): string[] {
  try {
    read(env);
  } catch (error) {
    expect(error).toMatchObject({ name: "BusError", code: "bad_request" });
    return String((error as Error).message).split("\n  ");
  }
  return [];
}

test("every setting but the two servers has the default of the contract", () => {
  expect(read()).toEqual({
    nats: { url: "nats://127.0.0.1:4222", inboxPrefix: "_INBOX" },
    stream: "EXPERIENCE",
    subject: "agent.experience.v1.>",
    durable: "experience-learner-v1",
    ackWaitSeconds: 30,
    maxDeliver: 20,
    fetchBatch: 256,
    fetchTimeoutSeconds: 2,
    windowSeconds: 1_800,
    okSamplePercent: 10,
    latencySpikeMs: 5_000,
    toolLatencySpikeMs: 0,
    errorThreshold: 3,
    silentThreshold: 5,
    latencyThreshold: 3,
    countBy: "run",
    affinity: "agent",
    fleetAgents: 3,
    slowWindowDays: 14,
    slowRuns: 5,
    recoverySeconds: 900,
    windowRetentionDays: 90,
    evidenceTtlSeconds: 3_600,
    maxFutureSeconds: 300,
    databaseUrl: servers.LEARNER_DATABASE_URL,
    lessonSubject: "agent.lesson.v1",
    lessonPublishEnabled: true,
    httpPort: 9_109,
    http: { open: true, origins: [], ratePerSecond: 2_000 },
    logLevel: "info",
    replicas: 1,
    maxBytes: null,
    maxAgeDays: null,
    provision: "apply",
    ingest: false,
    otlpScopes: "",
    concerns: [
      "extractor",
      "windows",
      "features",
      "ingest",
      "runs",
      "deadletters",
      "lessons",
      "effects",
      "history",
      "review",
      "memory",
      "missions",
      "console",
    ],
    durablePrefix: "feature-pipeline",
    sourceMaxDeliver: 5,
    featureDedupDays: 30,
    runStaleSeconds: 300,
    runRetentionDays: 30,
    missionTickSeconds: 60,
    missionClaimSeconds: 120,
    missionPlannerTimeoutSeconds: 60,
    missionParallel: 8,
    consoleMinutesDays: 7,
    consoleHoursDays: 90,
    consoleDaysDays: 1_100,
    isProduction: false,
    lessonTrialShare: 0.5,
    lessonProvenShare: 0.9,
    lessonAlpha: 0.05,
    lessonHorizonSeconds: 86_400,
    tracing: null,
    warnings: [],
  });
});

test.each([
  ["EXPERIENCE_STREAM_NAME", "OTHER", { stream: "OTHER" }],
  ["EXPERIENCE_SUBJECT", "other.*", { subject: "other.*" }],
  ["EXPERIENCE_DURABLE", "d-1_x", { durable: "d-1_x" }],
  ["EXPERIENCE_ACK_WAIT_SECONDS", "2.5", { ackWaitSeconds: 2.5 }],
  ["EXPERIENCE_MAX_DELIVER", "3", { maxDeliver: 3 }],
  ["EXPERIENCE_FETCH_BATCH", "1e3", { fetchBatch: 1_000 }],
  ["EXPERIENCE_FETCH_TIMEOUT_SECONDS", "5", { fetchTimeoutSeconds: 5 }],
  ["EXPERIENCE_WINDOW_SECONDS", "60", { windowSeconds: 60 }],
  ["EXPERIENCE_OK_SAMPLE_PCT", "0.5", { okSamplePercent: 0.5 }],
  ["EXPERIENCE_LATENCY_SPIKE_MS", "100", { latencySpikeMs: 100 }],
  ["TOOL_LATENCY_SPIKE_MS", "2000", { toolLatencySpikeMs: 2_000 }],
  ["EXPERIENCE_ERROR_THRESHOLD", "1", { errorThreshold: 1 }],
  ["EXPERIENCE_SILENT_THRESHOLD", "2", { silentThreshold: 2 }],
  ["EXPERIENCE_LATENCY_THRESHOLD", "256", { latencyThreshold: 256 }],
  ["EXPERIENCE_EVENT_DEDUP_TTL_SECONDS", "7200", { evidenceTtlSeconds: 7_200 }],
  ["EXPERIENCE_MAX_FUTURE_SECONDS", "0", { maxFutureSeconds: 0 }],
  ["LESSON_TRIAL_SHARE", "1", { lessonTrialShare: 1 }],
  ["LESSON_PROVEN_SHARE", "0.8", { lessonProvenShare: 0.8 }],
  ["LESSON_ALPHA", "0.01", { lessonAlpha: 0.01 }],
  ["LESSON_HORIZON_SECONDS", "3600", { lessonHorizonSeconds: 3_600 }],
  ["LESSON_COIN_KEY", "x", { lessonCoinKey: "x" }],
  ["LESSON_WORDS", "/w", { lessonWordsFile: "/w" }],
  ["LESSON_SUBJECT", "lessons", { lessonSubject: "lessons" }],
  ["LESSON_PUBLISH_ENABLED", "FALSE", { lessonPublishEnabled: false }],
  ["HTTP_PORT", "0", { httpPort: 0 }],
  ["LOG_LEVEL", "Debug", { logLevel: "debug" }],
  ["JETSTREAM_REPLICAS", "3", { replicas: 3 }],
  ["JETSTREAM_MAX_BYTES", "1048576", { maxBytes: 1_048_576 }],
  ["JETSTREAM_MAX_BYTES", "1.5G", { maxBytes: 1_610_612_736 }],
  ["JETSTREAM_MAX_BYTES", "512 MiB", { maxBytes: 536_870_912 }],
  ["JETSTREAM_MAX_BYTES", "10mb", { maxBytes: 10_485_760 }],
  ["JETSTREAM_MAX_AGE_DAYS", "90", { maxAgeDays: 90 }],
  ["EXPERIENCE_PROVISION", "none", { provision: "none" }],
  ["EXPERIENCE_INGEST", "on", { ingest: true }],
  ["EXPERIENCE_OTLP_SCOPES", "!litellm, a.*", { otlpScopes: "!litellm, a.*" }],
  ["NODE_ENV", "production", { provision: "verify", isProduction: true }],
  [
    "EXPERIENCE_CONCERNS",
    "all",
    {
      concerns: [
        "extractor",
        "windows",
        "features",
        "ingest",
        "runs",
        "deadletters",
        "lessons",
        "effects",
        "history",
        "review",
        "memory",
        "missions",
        "console",
      ],
    },
  ],
  ["EXPERIENCE_CONCERNS", "runs, Extractor,runs", { concerns: ["extractor", "runs"] }],
  ["EXPERIENCE_CONCERNS", "otlp", { concerns: ["ingest"] }],
])("%s=%s is read", (name, value, expected) => {
  expect(read({ LESSON_COIN_KEY: "k", [name]: value })).toMatchObject(expected);
});

test("in production the coin has a key, unless nothing is on trial or nobody is told", () => {
  const production = { NODE_ENV: "production", EXPERIENCE_HTTP_TOKEN: "t" };
  expect(problemsOf(production).join()).toContain("LESSON_COIN_KEY is required in production");
  for (const more of [
    { LESSON_COIN_KEY: "k" },
    { LESSON_TRIAL_SHARE: "1" },
    { EXPERIENCE_CONCERNS: "extractor" },
  ]) {
    expect(problemsOf({ ...production, ...more })).toEqual([]);
  }
  expect(problemsOf({})).toEqual([]);
});

test("nothing is traced without an exporter, or with the SDK disabled", () => {
  expect(read().tracing).toBe(null);
  expect(read({ OTEL_SERVICE_NAME: "a", OTEL_TRACES_SAMPLER: "always_on" }).tracing).toBe(null);
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" };
  expect(read({ ...endpoint, OTEL_TRACES_EXPORTER: "none" }).tracing).toBe(null);
  expect(read({ ...endpoint, OTEL_SDK_DISABLED: "true" }).tracing).toBe(null);
});

test.each([
  [{ OTEL_TRACES_EXPORTER: "otlp" }, { exporters: ["otlp"], protocol: "http/protobuf" }],
  [{ OTEL_TRACES_EXPORTER: "console" }, { exporters: ["console"] }],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318/" }, { url: "http://c:4318/v1/traces" }],
  [
    { OTEL_EXPORTER_OTLP_ENDPOINT: "http://c", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://t/x" },
    { exporters: ["otlp"], url: "https://t/x" },
  ],
  [
    { OTEL_TRACES_EXPORTER: "otlp", OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" },
    { protocol: "http/json", serviceName: "experience-bus" },
  ],
  [
    {
      OTEL_TRACES_EXPORTER: "otlp",
      OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/json",
      OTEL_SERVICE_NAME: "bus",
    },
    { protocol: "http/json", serviceName: "bus" },
  ],
])("%j says how to trace", (env, expected) => {
  expect(read(env).tracing).toMatchObject(expected);
});

test("while nothing is traced, what others are told of tracing is not refused", () => {
  const others = {
    OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "grpc",
  };
  expect(read(others).tracing).toBe(null);
  expect(read({ OTEL_SDK_DISABLED: "true", OTEL_TRACES_EXPORTER: "zipkin" }).tracing).toBe(null);
});

test("every variable of tracing is read, whether anything is traced or not", () => {
  const names = (env: Record<string, string>) =>
    surveySettings({ ...servers, ...env }).readings.map(({ name }) => name).sort(); // biome-ignore format: short
  const traced = names({ OTEL_TRACES_EXPORTER: "otlp" });
  expect(traced).toContain("OTEL_EXPORTER_OTLP_PROTOCOL");
  expect(names({})).toEqual(traced);
  expect(names({ OTEL_SDK_DISABLED: "true" })).toEqual(traced);
});

const traced = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" };

test.each<[Record<string, string>, RegExp[], readonly string[] | null]>([
  [{ OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, [/OTLP_PROTOCOL=grpc is not spoken.*4318/], null],
  [{ OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "grpc" }, [/TRACES_PROTOCOL=grpc is not/], null],
  [{ OTEL_TRACES_EXPORTER: "zipkin" }, [/no traces go to "zipkin"/], null],
  [{ OTEL_TRACES_EXPORTER: "grpc" }, [/no traces go to "grpc"/], null],
  [{ OTEL_TRACES_EXPORTER: "jaeger,xray" }, [/"jaeger"/, /"xray"/], null],
  [{ OTEL_TRACES_EXPORTER: "otlp, zipkin" }, [/"zipkin"/], ["otlp"]],
  [{ OTEL_TRACES_EXPORTER: "OTLP,Console,otlp" }, [], ["otlp", "console"]],
  [{ OTEL_TRACES_EXPORTER: "logging" }, [], ["console"]],
  [{ OTEL_TRACES_EXPORTER: "none," }, [], null],
  [{ OTEL_TRACES_EXPORTER: "constructor" }, [/"constructor"/], null],
  [
    { OTEL_TRACES_EXPORTER: "otlp,console", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
    [/=grpc is not spoken/],
    ["console"],
  ],
  [{ OTEL_SDK_DISABLED: "TRUE" }, [], null],
  [{ OTEL_SDK_DISABLED: "1" }, [/OTEL_SDK_DISABLED=1 counts as false/], ["otlp"]],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4317" }, [/_ENDPOINT must be like http/], null],
])("%j is warned of, and the service goes on", (env, warnings, exporters) => {
  const settings = read({ ...traced, ...env });
  expect(settings.tracing?.exporters ?? null).toEqual(exporters);
  expect(settings.warnings).toHaveLength(warnings.length);
  for (const [i, warning] of warnings.entries()) expect(settings.warnings[i]).toMatch(warning);
});

test("a warning of an endpoint of traces shows none of it", () => {
  const { warnings } = read({ OTEL_EXPORTER_OTLP_ENDPOINT: "user:secret@collector" });
  expect(warnings).toEqual([
    "OTEL_EXPORTER_OTLP_ENDPOINT must be like http://127.0.0.1:4318: no traces go out by OTLP",
  ]);
});

test("an empty variable is one that is not set", () => {
  expect(read({ HTTP_PORT: "", LOG_LEVEL: "", EXPERIENCE_DURABLE: "" })).toEqual(read());
});

test.each([
  ["EXPERIENCE_STREAM_NAME", "has space"],
  ["EXPERIENCE_STREAM_NAME", "dots.in.it"],
  ["EXPERIENCE_SUBJECT", "agent..x"],
  ["EXPERIENCE_DURABLE", "a.b"],
  ["EXPERIENCE_DURABLE", "x".repeat(65)],
  ["EXPERIENCE_ACK_WAIT_SECONDS", "0"],
  ["EXPERIENCE_MAX_DELIVER", "1.5"],
  ["EXPERIENCE_FETCH_BATCH", "many"],
  ["EXPERIENCE_WINDOW_SECONDS", "0"],
  ["EXPERIENCE_WINDOW_SECONDS", "-1"],
  ["EXPERIENCE_OK_SAMPLE_PCT", "101"],
  ["EXPERIENCE_OK_SAMPLE_PCT", "NaN"],
  ["EXPERIENCE_ERROR_THRESHOLD", "257"],
  ["EXPERIENCE_SILENT_THRESHOLD", "0"],
  ["EXPERIENCE_MAX_FUTURE_SECONDS", "Infinity"],
  ["EXPERIENCE_MAX_FUTURE_SECONDS", "0x10"],
  ["LESSON_SUBJECT", "lessons.>"],
  ["LESSON_PUBLISH_ENABLED", "yes"],
  ["HTTP_PORT", "65536"],
  ["HTTP_PORT", "8080 "],
  ["LOG_LEVEL", "loud"],
  ["JETSTREAM_REPLICAS", "6"],
  ["JETSTREAM_MAX_BYTES", "1000"],
  ["JETSTREAM_MAX_BYTES", "much"],
  ["JETSTREAM_MAX_BYTES", "-1G"],
  ["JETSTREAM_MAX_AGE_DAYS", "0.5"],
  ["NATS_JS_DOMAIN", "a.b"],
  ["NATS_JS_API_PREFIX", "JS.>"],
  ["EXPERIENCE_PROVISION", "destroy"],
  ["EXPERIENCE_CONCERNS", "extractor,lesson"],
  ["NATS_INBOX_PREFIX", "_INBOX.>"],
])("%s=%s is refused, naming both", (name, value) => {
  const [count, problem, ...others] = problemsOf({ [name]: value });
  expect(count).toBe("1 problem in the settings:");
  expect(problem).toContain(`${name}=${value} must be `);
  expect(others).toEqual([]);
});

test("every problem is reported at once, one a line", () => {
  const problems = problemsOf({
    NATS_URL: undefined,
    LEARNER_DATABASE_URL: "mysql://x",
    HTTP_PORT: "no",
    LOG_LEVEL: "loud",
    EXPERIENCE_MAX_DELIVER: "0",
    EXPERIENCE_WINDOW_SECONDS: "3600",
  });
  expect(problems[0]).toBe("6 problems in the settings:");
  const named = ["NATS_URL", "LEARNER_DATABASE_URL", "HTTP_PORT", "LOG_LEVEL"];
  for (const name of [...named, "EXPERIENCE_MAX_DELIVER", "EXPERIENCE_WINDOW_SECONDS"]) {
    expect(problems.filter((line) => line.includes(name))).toHaveLength(1);
  }
});

describe("a time to live of less than twice the window", () => {
  test("is refused, naming both values", () => {
    const [, problem] = problemsOf({
      EXPERIENCE_WINDOW_SECONDS: "60",
      EXPERIENCE_EVENT_DEDUP_TTL_SECONDS: "119",
    });
    expect(problem).toContain("EXPERIENCE_EVENT_DEDUP_TTL_SECONDS=119");
    expect(problem).toContain("EXPERIENCE_WINDOW_SECONDS=60");
  });

  test("is refused where the default of the other is what clashes", () => {
    const [, problem] = problemsOf({ EXPERIENCE_WINDOW_SECONDS: "1801" });
    expect(problem).toMatch(/TTL_SECONDS=3600 .*WINDOW_SECONDS=1801/);
  });

  test("of exactly twice the window is taken", () => {
    const exact = { EXPERIENCE_WINDOW_SECONDS: "60", EXPERIENCE_EVENT_DEDUP_TTL_SECONDS: "120" };
    expect(problemsOf(exact)).toEqual([]);
  });
});

describe("authentication", () => {
  test("takes the names of the nats CLI", () => {
    expect(read({ NATS_USER: "u", NATS_PASSWORD: "p" }).nats).toMatchObject({
      user: "u",
      password: "p",
    });
    expect(read({ NATS_TOKEN: "t" }).nats).toMatchObject({ token: "t" });
  });

  test("is asked under the prefix of a domain, or of an imported API", () => {
    expect(read({ NATS_JS_DOMAIN: "hub" }).nats.jsApiPrefix).toBe("$JS.hub.API");
    expect(read({ NATS_JS_API_PREFIX: "JS.hub.API" }).nats.jsApiPrefix).toBe("JS.hub.API");
    const both = { NATS_JS_DOMAIN: "hub", NATS_JS_API_PREFIX: "JS.hub.API" };
    expect(problemsOf(both).join()).toContain("a domain is a prefix; set one of them");
  });

  test("demands TLS of all servers where one asks for it", () => {
    expect(read({ NATS_URL: "tls://h:1,k:2" }).nats.url).toBe("tls://h:1,tls://k:2");
  });

  test("reads user and password, or a token, in the URL", () => {
    expect(read({ NATS_URL: "nats://u:p%40@h:1,nats://k:2" }).nats).toMatchObject({
      url: "nats://h:1,nats://k:2",
      user: "u",
      password: "p@",
    });
    expect(read({ NATS_URL: "nats://t0ken@h:1" }).nats).toMatchObject({
      url: "nats://h:1",
      token: "t0ken",
    });
  });

  test.each([
    [{ NATS_PASSWORD: "p" }, /NATS_PASSWORD needs NATS_USER/],
    [{ NATS_CERT: import.meta.filename }, /NATS_CERT and NATS_KEY go together/],
    [{ NATS_USER: "u", NATS_TOKEN: "t" }, /NATS_USER, NATS_TOKEN: choose one/],
    [{ NATS_CREDS: "/nowhere/at/all" }, /NATS_CREDS must name a file that can be read \(ENOENT\)/],
    [{ NATS_URL: "http://h:1" }, /NATS_URL must be like/],
    [{ NATS_URL: "wss://h:443" }, /websockets are not spoken here; name the server's port/],
  ])("%j is refused", (env, reason) => {
    expect(problemsOf(env).join("\n")).toMatch(reason);
  });
});

test("no secret shows in the refusal, whatever is wrong with it or beside it", () => {
  const secret = "s3cr3t-s3cr3t";
  const broken: Record<string, string>[] = [
    { NATS_PASSWORD: secret },
    { NATS_TOKEN: secret, NATS_USER: "u", NATS_PASSWORD: secret },
    { NATS_CREDS: secret, NATS_NKEY: secret, NATS_CA: secret, NATS_KEY: secret },
    { NATS_URL: `nats://u:${secret}@:x`, NATS_TOKEN: secret },
    { NATS_URL: `http://u:${secret}@h` },
    { NATS_URL: `nats://u:${secret}%zz@h:1` },
    { NATS_URL: `nats://u:${secret}@h:1`, NATS_TOKEN: secret },
    { LEARNER_DATABASE_URL: `mysql://u:${secret}@h/db` },
    { LEARNER_DATABASE_URL: `postgres://u:${secret}#%@h:x/db` },
    { LEARNER_DATABASE_URL: secret },
  ];
  for (const env of broken) {
    const message = problemsOf({ ...env, HTTP_PORT: "no" }).join("\n");
    expect(message).toContain("HTTP_PORT=no");
    expect(message).not.toContain(secret);
  }
});

describe("embedded servers are wanted", () => {
  const { NATS_URL, LEARNER_DATABASE_URL } = servers;

  test("when neither server is named and this is not production", () => {
    expect(wantsEmbeddedServers({})).toBe(true);
    expect(wantsEmbeddedServers({ NATS_URL: "", NODE_ENV: "development" })).toBe(true);
  });

  test.each([
    [{ NATS_URL }],
    [{ LEARNER_DATABASE_URL }],
    [{ NATS_URL, LEARNER_DATABASE_URL }],
    [{ NODE_ENV: "production" }],
  ])("not with %j", (env) => {
    expect(wantsEmbeddedServers(env)).toBe(false);
  });

  test("and where they are not, both servers must be named", () => {
    const none = { NATS_URL: undefined, LEARNER_DATABASE_URL: undefined };
    const message = problemsOf({ ...none, NODE_ENV: "production" }).join("\n");
    expect(message).toContain("NATS_URL is required");
    expect(message).toContain("LEARNER_DATABASE_URL is required");
  });
});
