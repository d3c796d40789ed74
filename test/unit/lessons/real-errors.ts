/** Error messages of databases, runtimes, tools and services, as they are printed; written down from memory and manuals. */
export const realErrors: readonly string[] = `
duplicate key value violates unique constraint "users_email_key"
null value in column "amount" of relation "orders" violates not-null constraint
insert or update on table "orders" violates foreign key constraint "orders_user_id_fkey"
relation "invoices" does not exist
column "total" does not exist
deadlock detected
could not serialize access due to concurrent update
canceling statement due to statement timeout
password authentication failed for user "app"
remaining connection slots are reserved for superusers
database is locked
attempt to write a readonly database
UNIQUE constraint failed: users.email
Lock wait timeout exceeded; try restarting transaction
Too many connections
Access denied for user 'root'@'localhost'
connect ECONNREFUSED 127.0.0.1:5432
read ECONNRESET
getaddrinfo ENOTFOUND api.internal
connection reset by peer
connection refused
connection timed out
broken pipe
no route to host
network is unreachable
socket hang up
certificate has expired
unable to verify the first certificate
self signed certificate in certificate chain
TLS handshake timeout
No such file or directory
permission denied
no space left on device
too many open files
file exists
is a directory
directory not empty
disk quota exceeded
cannot allocate memory
out of memory
maximum recursion depth exceeded
list index out of range
string index out of range
division by zero
'NoneType' object is not subscriptable
'str' object has no attribute 'items'
unsupported operand type(s) for +: 'int' and 'str'
missing 1 required positional argument: 'amount'
got an unexpected keyword argument 'timeout'
invalid literal for int() with base 10: 'abc'
could not convert string to float: 'n/a'
name 'total' is not defined
local variable 'x' referenced before assignment
No module named 'pandas'
cannot import name 'Field' from 'pydantic'
invalid syntax
unexpected indent
unterminated string literal
Cannot read properties of undefined (reading 'id')
x is not a function
x is not iterable
Unexpected token < in JSON at position 0
Unexpected end of JSON input
Assignment to constant variable.
Maximum call stack size exceeded
Invalid array length
Converting circular structure to JSON
Cannot find module 'express'
java.lang.NullPointerException
java.lang.OutOfMemoryError: Java heap space
java.util.concurrent.TimeoutException
index out of bounds: the length is 3 but the index is 5
runtime error: invalid memory address or nil pointer dereference
assignment to entry in nil map
context deadline exceeded
http_429
HTTP 503: service unavailable
Rate limit reached for requests per minute
This model's maximum context length is 8192 tokens
Incorrect API key provided
The request was rejected because of the content filter
insufficient quota
overloaded_error
Internal server error
Bad gateway
Request entity too large
404 Not Found
method not allowed
invalid or expired token
session expired
payment amount does not add up
not enough seats on flight HAT290
payment method not found
gift card balance is not enough
card declined: insufficient funds
reservation cannot be cancelled after departure
order is already delivered
refund exceeds the amount paid
coupon code is not valid for this product
element is not visible
element click intercepted
stale element reference
net::ERR_NAME_NOT_RESOLVED
navigation timeout of 30000 ms exceeded
merge conflict in package.json
fatal: not a git repository
failed to push some refs
your branch is behind 'origin/main'
error: pathspec 'main' did not match any file(s) known to git
command not found
exit status 1
image not found in registry
container exited with code 137
pods is forbidden: user cannot list resource "pods" in the namespace
schema validation failed: amount must be a number
field required
value is not a valid integer
date out of range
invalid date format
permission denied for table accounts
permission denied for schema public
syntax error at or near "FROM"
operator does not exist: integer = text
invalid input syntax for type integer: "abc"
value too long for type character varying(64)
numeric field overflow
division by zero encountered in scalar divide
could not connect to server: Connection refused
server closed the connection unexpectedly
terminating connection due to administrator command
the database system is starting up
the database system is shutting down
too many clients already
could not extend file "base/16384": No space left on device
canceling statement due to lock timeout
current transaction is aborted, commands ignored until end of transaction block
cannot execute INSERT in a read-only transaction
relation "jobs" already exists
there is no unique constraint matching given keys for referenced table "users"
Unknown column 'total' in 'field list'
Table 'shop.orders' doesn't exist
Data too long for column 'name' at row 1
Duplicate entry '42' for key 'PRIMARY'
Cannot add or update a child row: a foreign key constraint fails
MySQL server has gone away
Lost connection to MySQL server during query
Incorrect string value for column 'body' at row 1
no such column: total
disk I/O error
database disk image is malformed
E11000 duplicate key error collection
connection pool exhausted
Operation timed out after 5000 milliseconds with 0 bytes received
WRONGTYPE Operation against a key holding the wrong kind of value
OOM command not allowed when used memory exceeds maxmemory
MOVED 3999 127.0.0.1:6381
index_not_found_exception: no such index
Result window is too large
circuit_breaking_exception: data too large
Leader not available
Offset out of range
Message size too large
The group coordinator is not available
nats: no responders available for request
nats: timeout
stream not found
consumer not found
maximum messages exceeded
wrong last sequence: 5
AccessDenied: User is not authorized to perform s3:GetObject
NoSuchBucket: The specified bucket does not exist
NoSuchKey: The specified key does not exist.
ThrottlingException: Rate exceeded
ExpiredToken: The security token included in the request is expired
InvalidSignatureException: Signature expired
ResourceNotFoundException: Requested resource not found
ValidationException: The provided key element does not match the schema
ConditionalCheckFailedException: The conditional request failed
ProvisionedThroughputExceededException
ServiceUnavailable: Please reduce your request rate.
RequestTimeTooSkewed: The difference between the request time and the current time is too large.
quota exceeded for quota metric
The caller does not have permission
Resource has been exhausted (e.g. check quota).
The resource you requested could not be found
API key not valid. Please pass a valid API key.
Could not refresh access token
invalid_grant
invalid_client
invalid_request: Missing required parameter: redirect_uri
The access token expired
insufficient_scope
Bad credentials
API rate limit exceeded for user
Validation Failed: name already exists on this account
Repository not found.
Reference already exists
pull request is not mergeable
channel_not_found
not_in_channel
message_too_long
Your card was declined.
Your card has expired.
Your card's security code is incorrect.
No such customer: cus_123
Amount must be at least 50 cents
The payment method is not supported for this currency
model_not_found
The model 'gpt-9' does not exist
Invalid value for parameter temperature
string too long. Expected a string with maximum length 1048576
messages: at least one message is required
prompt is too long: 210000 tokens > 200000 maximum
tool_use ids were found without tool_result blocks
Number of request tokens has exceeded your per-minute rate limit
Output blocked by content filtering policy
The server had an error while processing your request
Overloaded
upstream connect error or disconnect/reset before headers
no healthy upstream
504 Gateway Time-out
413 Payload Too Large
415 Unsupported Media Type
405 Method Not Allowed
422 Unprocessable Entity
410 Gone
HTTP Error 403: Forbidden
SSL: CERTIFICATE_VERIFY_FAILED
hostname mismatch, certificate is not valid for host
certificate verify failed: unable to get local issuer certificate
tlsv1 alert protocol version
wrong version number
Name or service not known
Temporary failure in name resolution
Could not resolve host
Failed to connect to localhost port 8080
Empty reply from server
The requested URL returned error: 404
Connection aborted
Remote end closed connection without response
Read timed out. (read timeout=30)
Max retries exceeded with url
Exceeded 30 redirects.
Response ended prematurely
IncompleteRead(512 bytes read)
unexpected EOF while reading
Stream closed
Request aborted
write EPIPE
spawn ENOENT
EACCES: permission denied, open '/etc/shadow'
EMFILE: too many open files, watch
ENOSPC: System limit for number of file watchers reached
EADDRINUSE: address already in use :::3000
EISDIR: illegal operation on a directory, read
ENOTEMPTY: directory not empty, rmdir 'dist'
ERR_MODULE_NOT_FOUND
ERR_INVALID_ARG_TYPE
The "path" argument must be of type string. Received undefined
Cannot find package 'lodash' imported from index.js
require is not defined in ES module scope
await is only valid in async functions
Unexpected identifier 'foo'
Unexpected reserved word
missing ) after argument list
Invalid or unexpected token
Invalid regular expression: missing /
Cannot access 'total' before initialization
Cannot set properties of null
Reduce of empty array with no initial value
Invalid time value
Invalid count value: -1
toFixed() digits argument must be between 0 and 100
Object.defineProperty called on non-object
JavaScript heap out of memory
Type 'string' is not assignable to type 'number'.
Property 'foo' does not exist on type 'Bar'.
Expected 2 arguments, but got 1.
Object is possibly 'undefined'.
Cannot find name 'process'.
Argument of type 'null' is not assignable to parameter of type 'string'
Module has no exported member 'Foo'
cannot use x (variable of type int) as string value in assignment
undefined: foo
imported and not used: "fmt"
missing return
fatal error: all goroutines are asleep - deadlock!
slice bounds out of range
concurrent map writes
cannot borrow 'x' as mutable more than once at a time
use of moved value: 'x'
mismatched types
borrowed value does not live long enough
thread 'main' panicked at index out of bounds
called 'Option::unwrap()' on a 'None' value
java.lang.IllegalArgumentException: No enum constant
java.lang.ClassNotFoundException: com.example.Main
java.lang.StackOverflowError
java.lang.ArrayIndexOutOfBoundsException: Index 5 out of bounds for length 3
java.io.FileNotFoundException: config.yaml (No such file or directory)
java.net.SocketTimeoutException: Read timed out
java.sql.SQLIntegrityConstraintViolationException
org.springframework.beans.factory.NoSuchBeanDefinitionException
System.NullReferenceException: Object reference not set to an instance of an object.
System.InvalidOperationException: Sequence contains no elements
undefined method 'name' for nil
wrong number of arguments (given 1, expected 2)
uninitialized constant Foo
undefined local variable or method
Call to undefined function
Allowed memory size of 134217728 bytes exhausted
Undefined array key "id"
Segmentation fault (core dumped)
Killed
Illegal instruction
undefined reference to 'main'
cannot open shared object file: No such file or directory
ImagePullBackOff
CrashLoopBackOff: back-off restarting failed container
0/3 nodes are available: insufficient memory
Error from server (NotFound): deployments.apps "web" not found
Liveness probe failed: HTTP probe failed with statuscode: 500
OCI runtime create failed
port is already allocated
manifest unknown
unauthorized: authentication required
No matching distribution found for torch
ResolutionImpossible: dependency conflict
Could not find a version that satisfies the requirement numpy
npm ERR! code ERESOLVE unable to resolve dependency tree
peer dep missing
Missing script: "build"
lockfile needs to be updated
failed to compile
Test failed: expected 200 but received 500
expect(received).toBe(expected)
AssertionError: assert 3 == 4
fixture 'db' not found
collected 0 items
Timeout - Async callback was not invoked within the 5000 ms timeout
locator.click: Timeout 30000ms exceeded.
Target page, context or browser has been closed
no such element: Unable to locate element
frame was detached
Navigation failed because page crashed
CORS policy: No 'Access-Control-Allow-Origin' header is present on the requested resource
string to replace not found in file
file has not been read yet
old_string and new_string are exactly the same
reservation not found
user not found
flight HAT030 not available on date 2024-05-13
passenger count does not match the number of payment methods
non-pending order cannot be modified
the new item should be the same product
product variant is out of stock
shipping address is incomplete
postal code is invalid
account balance is below the minimum
currency mismatch
transaction limit exceeded
appointment slot is already taken
calendar event overlaps with another event
recipient address rejected: user unknown
mailbox full
attachment exceeds the maximum size
message could not be delivered
`
  .trim()
  .split("\n");
