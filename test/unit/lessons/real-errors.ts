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
`
  .trim()
  .split("\n");
