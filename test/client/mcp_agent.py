"""A host of agents that finds the tools with the Model Context Protocol's SDK for Python, and uses two of them."""

import asyncio
import json
import sys

from mcp import Client, StdioServerParameters


async def main(address: list[str]) -> None:
    server = address[0] if len(address) == 1 else StdioServerParameters(command=address[0], args=address[1:])
    async with Client(server) as client:
        tools = await client.list_tools()
        print(json.dumps(sorted(tool.name for tool in tools.tools)))
        told = await client.call_tool("report_outcome", {"agent_id": "scout", "tool": "search", "ok": True})
        print(json.dumps({"error": bool(told.is_error), **told.structured_content}))
        recalled = await client.call_tool("recall_lessons", {"agent_id": "scout"})
        print(json.dumps({"error": bool(recalled.is_error), "lessons": recalled.structured_content["lesson_keys"]}))


asyncio.run(main(sys.argv[1:]))
