#!/usr/bin/env python3
"""An agent that asks before it acts, and tells how it went, with nothing but the standard library:

    python3 examples/agent_loop.py

Prints, with a service at BUS_URL that has learned nothing of this agent yet:

    run 1: nothing is known; failed
    run 2: nothing is known; failed
    run 3: nothing is known; failed
    run 4: told that in task order-status, find_order failed with "timeout_error" ...; worked
"""

import json
import os
import time
import urllib.error
import urllib.request
import uuid

URL = os.environ.get("BUS_URL", "http://127.0.0.1:9109")
TOKEN = os.environ.get("BUS_TOKEN")
AGENT = {"agent_id": os.environ.get("AGENT_ID", "order-desk-py"), "task_type": "order-status"}
TOOL = "find_order"


def ask(endpoint, request, timeout):
    """What an endpoint answers."""
    headers = {"Content-Type": "application/json"}
    if TOKEN:
        headers["Authorization"] = "Bearer " + TOKEN
    body = json.dumps(request).encode()
    asked = urllib.request.Request(f"{URL}/api/v1/{endpoint}", body, headers)
    with urllib.request.urlopen(asked, timeout=timeout) as answer:
        return json.load(answer)


def recall(request):
    """Lessons for the prompt; an agent goes on without them when the bus does not answer in time."""
    try:
        return ask("lessons/recall", request, timeout=0.15)["block"]
    except (OSError, ValueError):
        return ""


def tell(endpoint, request):
    """Twice, for what was stored already counts once: events have ids."""
    for last in (False, True):
        try:
            return ask(endpoint, request, timeout=5)
        except OSError as error:
            if last:
                print(f"not told: {error}")
    return None


def work(block):
    """Stands for a model and its tools: it fails until it knows better."""
    return {"ok": True} if block else {"ok": False, "error_class": "TimeoutError"}


def learned():
    """Until the three failures have become a lesson: two seconds at most on a machine that is not busy."""
    for _ in range(100):
        if recall({**AGENT, "tool": TOOL}):
            return
        time.sleep(0.2)
    raise SystemExit("nothing was learned: is the service there, and its database?")


def main():
    session = uuid.uuid4()
    for run in range(1, 5):
        run_id = f"{session}-{run}"
        block = recall({**AGENT, "tool": TOOL, "run_id": run_id})
        result = work(block)
        event = {**AGENT, "event_id": run_id, "run_id": run_id, "tool": {"name": TOOL}, "result": result}
        tell("extractor", event)
        tell("lessons/outcome", {"run_id": run_id, "success": result["ok"]})
        facts = [line[2:] for line in block.split("\n") if line.startswith("- ")]
        told = f"told that {facts[0]}" if facts else "nothing is known"
        print(f"run {run}: {told}; {'worked' if result['ok'] else 'failed'}", flush=True)
        if run == 3:
            learned()


if __name__ == "__main__":
    main()
