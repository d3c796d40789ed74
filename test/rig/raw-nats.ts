import { once } from "node:events";
import net from "node:net";

/**
 * Publishes what a client with other manners would: headers exactly as given, `\r\n` between them.
 * Resolves once the server has taken it.
 */
export async function publishRaw(
  port: number,
  subject: string,
  headers: string,
  payload: string,
): Promise<void> {
  const socket = net.connect(port, "127.0.0.1");
  const head = `NATS/1.0\r\n${headers}\r\n\r\n`;
  const size = Buffer.byteLength(head);
  socket.write('CONNECT {"verbose":false,"headers":true}\r\n');
  socket.write(
    `HPUB ${subject} ${size} ${size + Buffer.byteLength(payload)}\r\n${head}${payload}\r\n`,
  );
  socket.write("PING\r\n");
  let said = "";
  while (!said.includes("PONG")) said += String((await once(socket, "data"))[0]);
  socket.destroy();
  if (said.includes("-ERR")) throw new Error(said);
}
