/** Made up for tests; each has the shape of a real one. `hidden` must appear nowhere. */
interface Secret {
  readonly what: string;
  readonly text: string;
  readonly hidden: string;
}

const secret = (what: string, text: string, hidden = text): Secret => ({ what, text, hidden });

const base64 = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";
const jwt = ["eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxMjM0In0", "dozjgNryP4J3jVmNHl0w5N"].join(".");
/** Written in parts, so that no scanner takes this file for a leak. */
const of = (...parts: string[]) => parts.join("");

export const secrets: readonly Secret[] = [
  secret("OpenAI", of("sk-", "abcdEFGH1234ijklMNOP5678")),
  secret("OpenAI, project", of("sk-proj-", "Ab12Cd34Ef56Gh78Ij90")),
  secret("OpenAI, short", of("sk-proj-", "abc123def456")),
  secret("Anthropic", of("sk-ant-api03-", "Zx9_Yw8-Vu7Ts6Rq5Po4")),
  secret("Stripe", of("sk_live_", "4eC39HqLyjWDarjtT1zdp7dc")),
  secret("Stripe, restricted", of("rk_test_", "51Habc2eZvKYlo2C")),
  secret("GitHub", of("ghp_", "16C7e42F292c6912E7710c838347Ae178B4a")),
  secret("GitHub, server", of("ghs_", "16C7e42F292c6912E7710c838347Ae178B4a")),
  secret("GitHub, fine-grained", of("github_pat_", "11ABCDEFG0abcdefghijkl_mnopqrstuv")),
  secret("GitLab", of("glpat-", "xYz12AbC34dEf56GhI78")),
  secret("Amazon", of("AKIA", "IOSFODNN7EXAMPLE")),
  secret("Amazon, temporary", of("ASIA", "Y34FZKBOKMUTVV7A")),
  secret(
    "Amazon, secret",
    of("aws_secret_access_key = ", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    of("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
  ),
  secret("Google", of("AIza", "SyD4iE2xVSpkLLOXoyqT-RuPwURN3ddScAI")),
  secret("Google, access", of("ya29.", "a0AfH6SMBx1234567890abcdef")),
  secret("Slack, bot", of("xoxb-", "123456789012-abcdefGHIJKL")),
  secret("Slack, app", of("xapp-", "1-A0123-456-abcdef")),
  secret(
    "Slack, hook",
    of("https://hooks.slack.com/services/", "T00000000/B00000000/XXXXabcd1234"),
    "XXXXabcd1234",
  ),
  secret("npm", of("npm_", "aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789")),
  secret("PyPI", of("pypi-", "AgEIcHlwaS5vcmcCJDAwMDAw1234567890")),
  secret("Hugging Face", of("hf_", "aBcDeFgHiJkLmNoPqRsTuVwXyZ012345")),
  secret("SendGrid", of("SG.", "aBcDeFgHiJkLmNoPqR.sTuVwXyZ0123456789aBcD")),
  secret("Twilio", of("SK", "0123456789abcdef0123456789abcdef")),
  secret("Telegram", of("123456789:AA", "HdqTcvCH1vGWJxfSeofSAs0K5PALDsaw")),
  secret("a NATS seed", of("SU", "ACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY")),
  secret("a JSON web token", jwt),
  secret("a bearer token", "Authorization: Bearer mF_9.B5f-4.1JqM", "mF_9.B5f-4.1JqM"),
  secret("a bearer token of letters", "bearer AbCdEfGhIjKl", "AbCdEfGhIjKl"),
  secret("basic authentication", "Authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"),
  secret("a header", "X-Api-Key: 9f8e7d6c5b4a", "9f8e7d6c5b4a"),
  secret("a cookie", "Cookie: session=abcdef123456; theme=dark", "abcdef123456"),
  secret("key= in a query", "https://api.x.io/v1?key=q9w8e7r6t5&a=1", "q9w8e7r6t5"),
  secret("token= in a query", "GET /a?page=2&access_token=tok3nvalu3", "tok3nvalu3"),
  secret("password= in text", "login failed with password=hunter2 for bob", "hunter2"),
  secret("secret= in text", "client_secret=s3cr3tvalue", "s3cr3tvalue"),
  secret("password: in text", "password: correct-horse-7", "correct-horse-7"),
  secret("an environment variable", "OPENAI_API_KEY=abcdef0123456789", "abcdef0123456789"),
  secret("a field of JSON", '{"user":"bob","password":"pa55word"}', "pa55word"),
  secret("a field of JSON, escaped", '{\\"api_key\\":\\"k3yk3yk3y\\"}', "k3yk3yk3y"),
  secret("a field of Python", "{'token': 'abc.def-123'}", "abc.def-123"),
  secret("camel case", '{"clientSecret": "zYxW9876"}', "zYxW9876"),
  secret("a URL", "postgres://app:s3cr3tpw@db.acme.com:5432/shop", "s3cr3tpw"),
  secret("a data source of Go", "root:s3cr3tpw@tcp(127.0.0.1:3306)/shop", "s3cr3tpw"),
  secret("a connection string", "Server=db;User Id=sa;Password=Pa$$w0rd!;", "Pa$$w0rd!"),
  secret(
    "a storage account",
    "AccountName=x;AccountKey=Zm9vYmFyYmF6cXV4;Endpoint=y",
    "Zm9vYmFyYmF6cXV4",
  ),
  secret("a flag", "mysql --password hunter22 -h db", "hunter22"),
  secret(
    "a private key",
    of("-----BEGIN RSA PRIVATE", ` KEY-----\n${base64}\n-----END RSA PRIVATE`, " KEY-----"),
    base64,
  ),
  secret("a private key on one line", of("-----BEGIN PRIVATE", ` KEY-----\\n${base64}`), base64),
  secret("a card", "card 4111 1111 1111 1111 was declined", "4111 1111 1111 1111"),
  secret("a card of digits alone", "5555555555554444"),
  secret("American Express", "3782-822463-10005"),
];

/** What stands in errors every day, and is none. */
export const ordinary: readonly string[] = [
  ...[
    "timeout",
    "rate_limit_error",
    "http_429",
    "KeyError: 'foo'",
    "Unexpected token: }",
    "risk-based-auth",
  ],
  ...[
    "Unexpected token < in JSON at position 0",
    "Invalid API key",
    "Incorrect API key provided",
    "max_tokens=4096",
  ],
  ...[
    "token limit exceeded: 8192 tokens",
    "prompt_tokens: 1234, completion_tokens: 56",
    "bearer token expired",
  ],
  ...[
    "password: must be at least 8 characters",
    "Invalid password: expired",
    "missing required key: name",
    "Basic Authentication is required",
  ],
  ...[
    "duplicate key value violates unique constraint users_email_key",
    "primary key: id",
    "foreign key = id",
    "Bearer authentication failed",
  ],
  ...[
    "8f14e45f-ceea-467f-a8f5-6f2a3b1c9d10",
    "1715594400123456789",
    "1790123456789012345",
    "order 4711 of 2024-05-13",
  ],
  ...[
    "https://api.acme.com:8443/v1/users/12?page=2",
    "connect ECONNREFUSED 127.0.0.1:5432",
    "mailto:jane@acme.com",
  ],
  ...[
    "jane.doe@example.com",
    "npm:react@18.2.0",
    "nginx:1.25@sha256:abcdef",
    "desk-12345678 is taken",
    "task-sk1 failed",
  ],
  ...[
    "pydata__xarray-6938-3",
    "airline-000-t0-007",
    "9fceb02d0ae598e95dc970b74767f19372d61af8",
    "gpt-4o-mini-2024-07-18",
  ],
  ...[
    "4111 1111 1111 1112",
    "phone +49 170 1234567",
    "password=None",
    "token=null",
    "secret: not found",
    "api_key is missing",
  ],
  ...[
    "the secret of good error messages: context",
    "sort(key=lambda x: x)",
    "claude-3-5-sonnet-20241022",
    "authorization failed",
  ],
  ...[
    "Could not find credentials",
    "author: Jane",
    "the cookie was not set",
    "keyboard=qwerty",
    "tokenizer=cl100k",
    "monkey=banana",
  ],
];
