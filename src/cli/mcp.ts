import type { Command } from "commander";
import { endpointSubject } from "../subjects.ts";
import { type GlobalOptions, openAsker } from "./ask.ts";
import { examples } from "./print.ts";

interface McpOptions {
  readonly tenant?: string;
}

const about = `
For programs that start their MCP servers themselves, such as coding agents:

  {"mcpServers": {"experience-bus": {"command": "experience-bus", "args": ["mcp"]}}}

A running service has the same at /mcp on its HTTP port (streamable HTTP, with a bearer token).`;

/** `mcp`: the tools of the Model Context Protocol over standard input and output. */
export function addMcpCommand(program: Command): void {
  program
    .command("mcp")
    .description("serves MCP over standard input and output, until the input ends")
    .option("--tenant <id>", "ask and report for this tenant")
    .addHelpText("after", about)
    .addHelpText("after", examples("mcp", "mcp --tenant acme"))
    .action(({ tenant }: McpOptions, command: Command) =>
      serve(tenant, command.optsWithGlobals<GlobalOptions>()),
    );
}

async function serve(tenant: string | undefined, options: GlobalOptions): Promise<void> {
  const [{ serveStdio, StdioServerTransport }, { openMcpServer }] = await Promise.all([
    import("@modelcontextprotocol/server/stdio"),
    import("../mcp/tools.ts"),
  ]);
  const ofTenant = tenant === undefined ? {} : { tenant_id: tenant };
  const ask = async (endpoint: string, request: object) => {
    // A connection for each request: a host that starts before the broker, or outlives it, is served all the same.
    const asker = await openAsker(options);
    try {
      return await asker.ask<unknown>(endpointSubject(endpoint), { ...ofTenant, ...request });
    } finally {
      await asker.close();
    }
  };
  const ended = new Promise<void>((resolve) => {
    process.stdin.once("end", resolve).once("close", resolve);
    process.once("SIGINT", resolve).once("SIGTERM", resolve);
  });
  const transport = new StdioServerTransport();
  const handle = serveStdio(() => openMcpServer(ask), {
    transport,
    onerror: ({ message }) => console.error(`experience-bus: ${message}`),
  });
  await ended;
  await handle.close();
}
