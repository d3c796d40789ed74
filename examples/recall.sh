#!/bin/sh
# Asks and tells with curl alone:
#
#     sh examples/recall.sh
#
# Prints, with a service at BUS_URL that has learned nothing of this agent yet: that three events are stored, and the block
# with the lesson that they made.
set -eu
url=${BUS_URL:-http://127.0.0.1:9109}
agent=${AGENT_ID:-order-desk-sh}

# Usage: ask ENDPOINT SECONDS JSON
ask() {
  curl -sS --fail-with-body --max-time "$2" "$url/api/v1/$1" \
    -H 'Content-Type: application/json' ${BUS_TOKEN:+-H "Authorization: Bearer $BUS_TOKEN"} -d "$3"
}

event() {
  printf '{"agent_id":"%s","task_type":"order-status","run_id":"%s-%s","tool":{"name":"find_order"},"result":{"ok":false,"error_class":"TimeoutError"}}' \
    "$agent" "$$" "$1"
}

ask extractor 5 "[$(event 1),$(event 2),$(event 3)]"
echo

question="{\"agent_id\":\"$agent\",\"task_type\":\"order-status\",\"tool\":\"find_order\"}"
tries=0
# An agent would go on without lessons; here somebody wants to see one.
until answer=$(ask lessons/recall 1 "$question") && ! printf '%s' "$answer" | grep -q '"block":""'; do
  tries=$((tries + 1))
  if [ "$tries" -gt 100 ]; then
    echo "nothing was learned: is the service there, and its database?" >&2
    exit 1
  fi
  sleep 0.2
done
# The block is a JSON string: its line breaks are \n.
printf '%s' "$answer" | sed 's/.*"block":"\([^}]*\)","block_sha256".*/\1/; s/\\n/\n/g; s/\\"/"/g'
echo
