/**
 * The closed vocabulary: words that may reach a prompt out of an event. How the list was made, and what it cannot do:
 * docs/recall.md. Lower case, sorted; a word is in one list.
 */

/** Function words, nouns, adjectives, participles, names of technology: pass everywhere. */
export const plainWords = `
a abandoned abbreviation abc abcs abi able aborted aborting about above absolute abstract acc
acceptable accepted accepting accepts accessed accessible accessing accessor accidentally account
accounts ack acl acorn acquired acquirer across action actions activated activation active
activity actual ada added adding additional addr address addresses adds adequate adjacent
advancing advertised advisory aead aes affected after again against age agent agents aggregate
aggregated aggregates aggregation aggregator agreement ahead aiohttp airflow airline airport ajv
alerts alg algorithm algorithms alias aliases aliasing aligned alignment alive all allergy alloc
allocated allocating allocation allocator allowed allows alone along alpha alphabet alphanumeric
alpine alpn already also alt alternates alternative alternatives although ambiguous among amount
amounts an analysis ancestor ancestors and angular annotated annotation annotations anode
anonymous another anthropic any anybody anymore anything apart api apis app appearance appears
appended appending applicable application applied applies applying appointment arbitrary
architecture archived archives are area aren't arena ares arg args argument arguments argv aria
arithmetic arity arn around array arrays arrival arrow article artifact artifacts as asana ascii
asleep asn assertion assertions asset assets assignable assigned assigning assignment associated
assumed assuming ast astropy asymmetric async asynchronous asyncio at atom atomic attached
attachment attachments attempted attempting attempts attendee attr attribute attributes attrs
audio auth authenticated authentication author authoritative authority authorization authorized
authors auto autoincrement automatic automatically available avoided await awaitable awaited aware
aws axes axios axis azure babel back backend background backing backoff backordered backslash
backticks backup backward backwards bad bag baggage baggages balance balanced band bank banner
barrier base base64 based bash basic basis basket batch baz bcrypt be bean beans bearer because
bedrock been before beginning begins behavior behind being belongs below beneficiary besides
between beyond big bigger bigint bigquery billing billion bin binary binder binding bindings bio
bit bitbucket bitmalloc bitmap bits bittable blank blob blobs blocked blocking blocks boarding
body booked booking bookings bool boolean boosting bootstrap bootstrapping borrow borrowed both
boto boto3 botocore bound boundaries boundary bounded bounds box brace braces bracket brackets
branch branches breakpoint breaks broad broadcastable broken broker browser btree bubble bucket
buckets buddy budget buf buffer buffered buffering buffers bug bugs build builder building built
builtin builtins bulk bun bundled burst bus business busy but buyer by byte bytearray bytecode
bytes cabin cache cached calculated calculating calendar callable callback callbacks called caller
callers calling callout calls camellia campaign can can't canceled canceling cancellation
cancelled cancels candidate cannot canonical capabilities capability capacity captcha card cards
cares cargo carrier cart cas case cases cassandra cat catalog catching catchup categories category
caught caused causes cbc cbor ccs cds celery celestial cell central cents cert certain certid
certificate certificates certs cfg cgo chain chains chan changed changelog changes changing
channel channels char character characters chargeback chars charset checked checker checkin
checking checkout checkpoint checkpoints checks checksum checksums cheeses child children choice
choices chr chromium chroot chunk chunked chunks cidr ciphers circular citation city cjs claims
clashes class classes classloader classpath claude clause clauses cleaned cleaning cleanly cleanup
cleared clearing clickable clickhouse client clients clock cloned closed closing closure cloud cls
cluster clustered clustering cmd cmp cms code codec codepoint codes coefficient coerced cofactor
cohere col collation collations collected collecting collection collections colon colons color
colors column columns combination combined combining comes coming comma commands comment comments
commits committed committing common communication commutator comparable compared comparison
compatibility compatible compilation compiled compiler compiling completed completely completion
completions complex compliance compliant component components composite compressed compressing
compression computation computed computing concatenation concluded concrete concurrency concurrent
concurrently conda condition conditional conditions conf conffile confidence config configmap
configurable configuration configured configuring confirmation confirmed conflict conflicting
conflicts confluence confused congruent connected connecting connection connections cons
consecutive consent considered consistency consistent console const constant constants constraint
constraints constructed constructing construction constructor constructors constructs consumed
consumer consumers contacting contained container containers containing contains content contents
context contexts continuation continued continuing contract controller convention converged
convergence conversion converted converter converting cookie cookies cooldown coordinator copied
copies copying copyright core coredump coroutine coroutines correct correctly correlated
correlation corresponding corrupted cors cost could couldn't count counter counters counting
country counts coupon coupons coverage covered cpu crashed crate crates crc crdtp created creates
creating creation credential credentials critical crl cron crv crypto cryptography csrf css csv
cte ctor ctrl ctx cuda cudnn cumulative cur currencies currency current currently cursor curve
curves custom customer customers cutoff cvv cwd cycle daemon dane dangling dashboard dat data
database databases dataclass datatype datatypes date dated dates datetime datum day days db ddl
dead deadline deadlock deal deb debian debit debugger debugging dec decimal decimals declaration
declarations declared decoded decoder decoding decompressed decompression decorated decoration
decorator decorators decrypting decryption dedent dedicated deductible deep deepseek def default
defaults deferrable deferred defined defines definition definitions degraded dek delaying
delegation deleted deleting deletion delimiter delimiters delivered delivery delta denied deno
denominator dep departure dependencies dependency dependent depending depends deployment
deployments deprecated deprecation depth der deref derivation derived des desc description
descriptor descriptors deserialize desired despite dest destination destinations destroyed
detached detail detailed details detected detection determined deterministic dev device diagnosis
diagnostic dict dictionary did didn didn't died diff difference different digest digested digests
digit digital digits dimension dimensional dimensions dims dir direct direction directive directly
directories directory dirs dirty disabled disabling disallowed disconnected discount discovered
discriminator disk dispute dist distance distilled distinct distribution div diverged divisible
division divisor django dml dmp dns do doc docker docs docstring document documentation documented
docutils docx does doesn't dom domain domains domexception dominated done dosage dot dots dotted
double down downloaded downstream dpkg drained draining drbg driver drizzle dropoff dropped
dropping dsa dso dst dtype dtypes duckdb due dummy dumped dup duplex duplicate duplicated
duplicates duplicating duplication durable duration during dynamic dynamically dynamodb each
earlier early ec2 ecc ecdh ecdhe ecdsa economy edge edited editing editor effect effective egg
eight either elapsed elasticsearch elem element elements elf eligible elliptic els else embedded
embedding embeddings emitted emitter emitting emphasis employee employer empty enabled enabling
enc encoded encoder encoding encodings encounter encountered encrypted encrypting encryption end
ended ending endpoint endpoints ends enforced engine engines enhancement enough enqueue enrolled
enrollment ensemble entered entering entire entities entity entries entropy entry enum enumerable
enums env envelope enveloped environment environments eof eos ephemeral episode epoch eq equality
equals equivalence equivalent err errno error errored erroring errors ers esbuild escaped escapes
escaping escrow eslint esm ess essential established establishing estimate estimator etc eur
evaluated evaluates evaluation even event events every everything evicted evp exact exactly
example exceeded exceeding exceeds except exception exceptional exceptions excess exchanged
excluded exclusion exclusive executable executed executing execution executor exhausted existence
existent existing exists exitcode exited exiting exits exp expanded expansion expat expectation
expected expecting expects expense experimental expiration expired expires expiry explicit
explicitly exponent exported exports exposed expr express expressed expression expressions ext
extended extending extends extensible extension extensions extern external extra extracted
extracting factor factors factory failed failing fails failure failures fallback falling false
families family far fare fares fastapi fatal fault fdopen fds features feedback fetched fetching
few field fields fifo fig figure file filename files filesystem filled filtered filtering filters
final finalized finally finder fingerprint finished finite fips fired firefox firewall first five
fixed fixes fixture fixtures flagged flags flash flask flight flights float floating floats floor
flushed flushing fmt folded folder followed follower following follows font foo footnote for
forbidden forced forcing forecast foreground foreign fork forks formal format formation formats
formatted formatter formatting forms formula forward forwarded forwarding forwards found four
fraction fractional fragment frame framer frames fraud free freed freelist frequency friends from
frozen frozenset fstat fsync ftp fulfillment full fully func function functionality functions
funds further future futures gate gateway gateways gb gbp gcc gcm gcp gem gemfile gemini gems gen
general generally generated generating generation generator generators generic gens geometric
getaddrinfo gets getter getting gid gif gift git github gitlab given glob global globs glyph gnat
gnu goaway going golang gone google goroutine goroutines got gpt gpu grace gradient gradle grammar
granted grantor graph graphql great greater grep group grouped grouping groups growth grpc gss
gssapi guest guests guid gzip had hadoop haiku half halted handled handler handling handshake
happened happens hard hardlink hardware has hash hashable hashed hashes hashing hasn't have
haven't having head header headers heading headless health healthy heap heapsize heartbeat held
here hex hexadecimal hibernate hidden hierarchy high higher histogram history hmac holder holding
hole home host hostname hostnames hosts hotel hour how however html http https httpx hubspot huge
human hunk hunks hyphen hyphens hypothesis iam iban icon icu id ident identical identification
identified identifier identifiers identity idna ids if iframe illegal image images imap immediate
immutable impl implementation implemented implicit implicitly implied implies importable imported
importer importing imports impossible improper in inaccurate inactive inappropriate inbound inc
included includes including inclusive incoming incompatible incomplete inconsistency inconsistent
incorrect incorrectly increasing increment incremental indent indentation indented independent
index indexed indexes indexing indicated indicates indicating indicator indices indirect
ineligible inet inf inference infinite infinity info information informational infrastructure ing
ingress inheritance inherited init initial initialisation initialised initialising initialization
initialized initializer initializing initiated initiating inline inlined inner inode input inputs
insecure insensitive inserted inside inspector installation installed installing instance
instanceof instances instantiable instantiated instantiating instead instrument instrumentation
insufficient insurance insured int integer integers integral integrity intended interactive
intercepted interceptor interest interface intermediate internal internally interrupted interval
into invalid invalidated invalidating invalidation invalidations invalidity inventory inverse
invite invocation invoice invoices invoked io ion ip ipaddr ipc ips ipv is isbn isinstance isn't
iso isolation issubclass issue issued issuer issues issuing istanbul it item items iter iterable
iteration iterations iterator iterators itinerary its itself jan jar java javascript jax jest
jetstream jinja jinja2 jira job jobs journal jpeg js json jsonb jsonopts jsonpath jsontext
jsreceiver just jwk jwt kafka kb kdf keepalive keras kerberos kernel kex key keys keystore keyword
keywords killed kind kitchen known kty kubelet kubernetes label labels lacks lag lambda lang
langchain language languages large larger last late latency later lateral latest latin latitude
layer layers layout layover lazy ldap lead leader leading leaf leafnode leaks lease leases least
leaving ledger left leftover legacy legal len length lengths less letter letters level levels
lexeme lexer lhs lib libraries library license lifetime liftoff like likely limit limited limiter
limits line linear lineno lines linked linker linking links linux list listed listener listeners
listening listing lists literal literals little live lived liveness llama lld loaded loader
loaders loading loan loc local locale locally locals located location locations locator locked
lockfile locking locks log logfile logged logger logging logic logical login logits logprobs logs
long longer longitude looking looks lookup loop loosely loss lossy lost low lower lowercase
loyalty lsn luggage mac machine macos macro macros made magic mailbox main maintenance major makes
making malformed man managed manager mandates mandatory manifest manifests manual manually many
mapped mapper mapping maps marked marker markers marking markings marks markup marshaling matched
matches matching materialized math matplotlib matrices matrix maven max maximal maximum maxmemory
may maybe mb mcp md5 meaning meaningful means measurement mechanism media medium meeting mem
member members membership memory merchant merchantability mergeable merged merging messages
messaging meta metaclass metadata method methods metric mgf microsecond middle middleware might
migration migrations millisecond milliseconds mime min mini minimal minimum minor minute minutes
mirrors mismatch mismatched mismatches misplaced missed missing mistral mixed mixtral mmap mocha
mock mocked mocker mocking mocks mod mode model models moderation modes modification modified
modifier modifying module modules modulus monday money mongodb monitoring month months more
mortgage most mount mountpoint mounts moved moving mp3 mp4 mqtt mro ms msecs msg msgs mtype much
multi multidimensional multipart multiple multiplexing multirange must mutable mutex mutual
mutually mysql nailed name named namedtuple names namespace namespaces nan nano nanoseconds
napoleon native nats navigation nd nearest necessary need needed needs negation negative
negotiated negotiation neither neo4j nested nesting nestjs net network new newer newline newly
next nghttp nid nil nine nist nkey nkeys no nobody node nodejs nodes non nonce nondeterministic
none nonexistent nonnegative nonrefundable nonstop nonzero noop nor normal normalization
normalized normalizer normally nosql not notation notes nothing notification notifications notion
nov npm ns nth null nullable nullpointer nulls num number numbers numeral numeric numerical numpy
oaep oauth obj object objects obs obscured observer obsolete obtained occurred occurrence
occurring occurs oci ocsp octal octet octets odd of off offer offered offset offsets oid oidc oids
ok old older omitted omitting on once one onerror ones onestop online only onto oom opaque opcode
openai opened opening opensearch openssl operand operands operating operation operational
operations operator operators optimal optimization optimized optimizer optimizing option optional
options opts opus or ordered ordering orders ordinal org origin original originated originator
origins orm orphan os ossl other others otherwise otp out outage outcome outdated outer outgoing
output outside over overdue overflow overflows overlap overlapped overlapping overlaps overload
overloaded overwritten owned owner ownership package packages packed packet packets packfile
packing packs pad padding page pages paid pair pairs pan pandas panicked paragraph parallel param
parameter parameters params parcel parent parentheses parenthesis parents parsed parser parsers
parsing part partial partially participant particular partition partitioned partitioning
partitions parts passed passenger passengers passing passphrase passport password passwords past
patch patches path pathname paths patient pattern patterns paused payee payer payload payloads
payment payments paypal payroll pbkdf pcs pct pdf pedantic peek peer peers pem pending pep peps
per percent percentage performance performed performing period perl permanent permission
permissions permitted permutation persistent person phase phone php phrase physical physics
picklable pickle pickled pickup pid ping pinned pinner pip pipe piped pipeline pipelined pipes
pivot pkcs pkey pkg pkistatus placed placeholder placement places plain plan planner platform
platforms playwright plugin plugins plural plus png pnpm pod pods poetry point pointer points
policies policy policyholder polling poly polyfill polygon polymorphic polynomial pom pool pop3
populated population porcelain port portable portal portfolio portion ports pos position
positional positions positive posix possible possibly postal postcode postfix postgres postgresql
posting postmaster potential potentially power pptx pragma pre preceded precedence precedes
preceding precision predicate predicates prediction preference preferred prefix prefixed prefixes
preload premature prematurely premium preorder prepared preparing prerequisite prescription
presence present presigned prettier pretty previous previously price primary prime primes
primitive printable printed printing prior prioritized prioritizing priority prisma private
privilege privileges pro probability problem problems proc procedure procedures processed
processes processing processor produced producer product production products prof profile profiles
profiling program progress prohibited project projects promise promisor promo promoted promotion
prop proper properly properties property proposal proposals proposed prospect
protected protecting protection protections proto protobuf protocol protocols prototype prototypes
provided provider providers provides providing provisioned proxies proxy pseudo psk pss psycopg
psycopg2 pthread ptr pubkey public publication publications published publisher punctuation
puppeteer purging purpose pvc pydantic pylint pyproject pytest python pytorch pyx qualified
qualifier quality qualname quantifier quantity quantum queried queries questioner queued quic
quiet quorum quota quote quoted quotes quoting qwen rabbitmq radius raft raised raises ran rand
random range ranges rate rated rates ratio ratios raw rbac reachable reached reaching reaction
readable reader readiness reading readonly ready real realm ream reason reasons rebase receipt
receipts received receiver receiving recent recently recipient recognized recommended
reconciliation reconnect recorded recording records recoverable recovered recovering recovery
recurrence recurse recursion recursive recv red redirects redis redistributions reduced redundant
reentrant ref referenced references referencing refers refs refundable refunds refused refusing
regardless regex regexp region registered registering registers registration registry regular
rejected rejecting rejection rejections rejects rel related relation relations relationship
relative released relevant reloaded remained remaining remote remotes removal removed removing
renamed renaming renegotiation repeatable repeated repetition repl replaced replacement replacing
replica replicas replicated replication replied reported reporter reporting reports repository
repr representation reproduced reproducible reproduction req requested requesting requests
required requirement requirements requires requiring res reseed reservation reservations reserved
reset resetting resistance resolution resolved resolver resolves resolving resorting resource
resources resp respectively responded responder responding response responses restarted restarting
restaurant restocking restored restoring restricted restriction result resulted resulting results
resumed retained retention retries retrieved retrieving retrying returned returning returns reused
revenue reverting revision revocation revoke revoked revs reward rewinding rfc rfs rich right
rights risk role rollback rolled rolling rollup rom room rooms root roots rotation round rounding
rounds roundtrip route router routers routes routine routines row rows rpc rpm rsa rtsp ruby rule
rules rune runnable runner running runs runtime rust safe safely safety said salary sale sales
salesforce salt same saml sampling sandbox sasl saved savepoint saving scalar scale scanned
scanner scanning scans scavenger scheduled scheduler schedules scheduling schema schemas scheme
scientific scikit scipy scope scoped scopes script scripts scrypt sct sdist sdk seaborn searching
seat seats sec second secondary seconds secret section sections sector secure securely security
sed seed seeded seeing seeking seems seen segfault segment segmentation segments selected
selecting selection selectivity selector selectors selects selenium self seller sem semaphore
semaphores semi semicolon sender sendgrid sense sensitive sent sentiment sentinel sep separated
separator separators seq sequence sequences serial serializable serialization serialized
serializer server servername servers service serviceaccount servlet session sessions setlocale
sets setter setting settings settlement setup seven several severed sftp sha sha256 shadow shallow
shape shapes shard shards shared sharing shebang sheet shell shells shipment shipments shipped
shipping shop shopify short shorter shorthand should showing shown shutdown shutting sibling sid
side sig sigint sigkill sigma signal signaled signaling signals signature signatures signed signer
signing silenced silent silently similar simple simply simultaneous since single singular site
sites situation six size sized sizeof sizes skew skipped skipping sklearn sku slack slashes slice
slices slist slot slots slow small smaller smallint smi sms smtp snapshot snapshots sni snowflake
sns so socket sockets socks software sold solicited solution some something sonnet soon sort
sorted sorting source sources space spaces span spark sparse spec special specially specific
specification specified specifier specifies specifying specs sphinx spi spinning splitting
spreadsheet spring sql sqlalchemy sqlite sqlstate sqs square src srp srtp sse ssh ssl sslv stack
staged staging stale stalled standard standby started starting starts starttls startup stash stat
state stateless statement statements states static statistics stats status statuscode std stderr
stdin stdio stdout step stepping still stls stock stopover stopped stopping storage stored str
strategy stream streamed streaming streams strength strict strictly string stringify strings
stripe stripped strong struct structs structure stuck student style styles sub subclass subclasses
subdirectory subfigures subject subjects submitted submodule submodules subnet subpath subprocess
subqueries subquery subroutine subscriber subscribers subscript subscriptable subscripted
subscripting subscription subscriptions subsequent subset substitution substring subtle subtrees
subtype succeeded success successful successfully successor such sufficient suffix suitable suite
suites sum summaries summary super superseded superuser supplied supplier supplying support
supported supports supposed sure surrogate surrogates survey svelte svg swift switching sym symbol
symbolic symbols symlink symmetric sympy synchronization synchronized synchronous synchronously
synonym syntax sys syscall syscalls syslog system systemd tab table tables tablespace tabs tag
tagged tags tai tail tailoring taken takeover takes taking tape tapes tar targets task tasks tax
taxable taxes tb tbs tcp team temp temperature template templates temporal temporarily temporary
ten tenant tensor tensorflow tensors term terminal terminated terminating termination terminator
terminators ternary test testbed testbit tested testing tests text th than that the their them
theme then there therefore thesaurus these they thin thing things third this those though thousand
thread threading threads three threshold thresholds throttle throttled throttling through
throughout throughput throwing thrown throws thus tick ticker ticket tickets ticks tid tied tier
ties time timed timedelta timeline timeout timer timers times timestamp timezone timezones title
tls tlsv tmp to todo together token tokenizer tokens toml too took tool tools top topic topics
toplevel torch torque total totp toy traceback traces tracing tracked tracking traditional traffic
trailer trailers trailing trait traits transaction transactions transcript transferred transforms
transition transitional transitioning translated translation transliteration transparency
transport trap travel traveler traversal treated treating tree trees trello trial tried tries
triggered triggers trip triple true truncated truncation trusting truststore truth trying ts tsa
tsvector ttl tty tunnel tunneling tuple tuples turbo turned turning tweak twice twilio two type
typed typeof types typescript typically tzinfo ubuntu ucnv udp uid uint uintptr unable unary
unassigned unauthenticated unauthorized unavailable unbounded unclean unclosed uncompressed
unconditional unconfigured und undefined under underflow underlying underscore underscores
understands understood underwriting undici unequal unexpected unexpectedly unfinished unhandled
unhashable unhealthy unicode unicodestring unindent uninformative uninitialized uninstalled union
unique unit units unittest universal unix unknown unless unlikely unlimited unloaded unlocked
unmarshal unmatched unnecessary unordered unpacked unpacking unpaid unpaired unpinned
unprocessable unreachable unreadable unrecognized unregistered unresolved unsafe unset unsigned
unspecified unsupported unterminated until untracked untrusted unusable unused up updatable
updated updates updating upgrading upon upper uppercase ups upstream ures uri url urllib urllib3
urls urn usable usage usages usd used user username users uses using usr usually utc utf utf8 util
utility utils uuid vacuumed val valid validated validates validating validation value values var
varchar variable variables variadic variant variants vars varying vat vector vehicle vendor venv
verb verbatim verbose verbosity verification verified verifier verifying version versions vertex
very via viewport views violated violates violation virtual virtualenv visa visibility visible
visited visual vite vitest vocabulary voicemail void volatile volume volumes voucher vouchers vpc
vram vs vue waiter waiting wal walker wallet warehouse warning warnings warranty was wasm wasn't
watcher watching way ways weak weather web webhook webhooks webidl webkit webpack websocket week
weekday weight weighted weights well were weren't werror what wheel wheels when where whether
which while white whitespace whole whom wide width wildcard wildcards will window windows with
within without won't word words workbook worker workers working works worksheet workspace worktree
world would wouldn't wraparound wrapped wrapper wrapping writable writer writes writing written
wrong wrote xarray xfail xlsx xml xof xpath xsrf xts yaml yarn year yes yet yield zendesk zero
zeroed zeros zip zipcode zlib zod zone zsh
`;

/** A noun or an order, as it stands: pass where they are nouns. */
export const eitherWords = `
abort access advance alert alternate anchor appropriate approximate arch archive attempt bare bat
blame block book buff bundle call capture cast cause center challenge change charge check cipher
claim clean clear close command commit complete compress con connect control copy corrupt cover
credit delay delegate deposit dispatch display download drive drop dump dwarf echo edit escape
exchange exit export extract fall fast feature filter fire fit flag flow flush fold force form
grant hand handle hit hook idle implement import increase install join junk link load lock loose
map mark marshal mask match merge message meter mirror misuse monitor move near open order pack
paste pause pay pin place poll post preface print process pump purchase push put query queue read
record reference refund release reply report request rescue reserve respect rest return reverse
run sample scan schedule seal search select separate set share shift ship shut sign sleep sock
split spread spy stage start stem stop store stray strip stuff submit supply swap switch target
tip trace track transfer trigger trim update upload vacuum view vote wire withdraw write
`;

/** Base forms: pass after "cannot", "failed to" and their like, and inside identifiers. */
export const verbWords = `
accept acquire activate add adjust advertise affect affix agree align allocate allow alter amend
analyze appear append apply assert assign assist assume attach authenticate avoid become begin
belong bind bisect break broadcast calculate cancel cascade catch choose clone collate collect
combine come communicate compare compile compute concatenate configure conform consider consist
construct consume contain continue convert copyfile correspond create cross curl cut debug declare
decode decompress deconstruct decorate decrypt deepen defer define deflate delete deliver denote
deny depend derive describe destroy detach detect determine differ disable disambiguate discard
disconnect downgrade embed emit enable encode encrypt enforce enhance ensure enter equal establish
evacuate evaluate exceed exclude execute exist expand expect expire expose extend fail fetch fill
finalize find finish fix follow freeze fulfill generate get give guide happen hide hold identify
include indicate infer inflate inherit inhibit initialise initialize initiate inject insert
inspect instantiate interpret intersect introduce invalidate invert invoke isolate iterate keep
know latch listen locate look lose lstat maintain make manage mean migrate miss mix mkdir modify
negotiate normalize obtain occur omit operate opt optimize own parse pass perform permit persist
pick plat play pop populate precede precondition prepare preserve prevent preview proceed produce
provide prune publish pull purge quit raise reach react rearrange reassign rebuild receive
recognize reconstruct recover redefine redirect redo reduce refer reflect refresh register reject
reload rely remove rename render renegotiate reopen reorder replace replay represent reproduce
republish require rerun resolve restart restore resume retain retrieve retry reuse revert rewind
reword rewrite rmdir roll sanitize satisfy save saw scandir see seem send serialize serve show
sink skip spawn specify splice stay subscribe subtract succeed suppress suspend sync synchronize
take terminate throw transform translate traverse treat truncate try understand undo unify unlink
unload unlock unpack unpin unwind unwrap upgrade use validate verify wait watch work wrap
`;

/** Pass inside identifiers alone. */
export const partWords = `
approve argc assistant browse btn chat classify click crawl crm directions email erp escalate
escalation faq feed geocode handoff humans idx img instruct interpreter kwargs mail metrics
navigate news note notebook question rag scrape screenshot scroll speech stt summarize think tts
upsert video vision walk
`;
