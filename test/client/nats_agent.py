"""An agent that publishes with NATS' client for Python, asks what to know, and sees what became of it."""

import asyncio
import json
import sys

import nats


async def main(url: str) -> None:
    nc = await nats.connect(url)
    js = nc.jetstream()
    for number in range(3):
        event = {
            "event_id": f"python-{number}",
            "run_id": f"run-{number}",
            "task_type": None,
            "result": {"ok": False, "error_class": "TimeoutError", "http_status": None},
            "tool": {"name": "search"},
            "llm": None,
        }
        await js.publish("agent.experience.v1.scout", json.dumps(event).encode())
    reply = await nc.request("experience.extractor", json.dumps({"result": {}}).encode(), timeout=5)
    print(json.dumps(json.loads(reply.data)))
    lessons = await js.subscribe("agent.lesson.v1", ordered_consumer=True)
    print(json.dumps(json.loads((await lessons.next_msg(timeout=20)).data)["signals"]))
    recall = {"agent_id": "scout", "run_id": "run-9"}
    while True:
        reply = await nc.request("experience.lessons.recall", json.dumps(recall).encode(), timeout=5)
        answer = json.loads(reply.data)
        if answer["lessons"] or answer["held_out"]:
            break
        await asyncio.sleep(0.1)
    print(json.dumps({"recorded": answer["recorded"]}))
    await nc.drain()


asyncio.run(main(sys.argv[1]))
