// A worker that all pages of a browser share. Browsers have six connections to a server: all pages together hold a few of
// them, and where that is not enough for all that is followed, it takes turns.

const mostStreams = 4;
/** As many as `/live` answers at once. */
const mostPages = 20;
const turnMs = 3_000;
const againMs = 2_000;

/** Each page's port → what it follows: its address and what it shows now, or the stream of a run. */
const followers = new Map();
/** By key, whoever waits longest first: how to open it, and its source while it has its turn. */
const streams = new Map();
let arranging = null;
let turning = null;

const ofPages = () => [...followers].filter(([, { address }]) => address !== undefined);
const ofRuns = () => [...followers].filter(([, { run }]) => run !== undefined);

function tell(addresses, message) {
  for (const [port, { address }] of ofPages()) {
    if (addresses.includes(address)) port.postMessage(message);
  }
}

/** Some pages, by one connection. */
function pageStream(addresses) {
  return () => {
    const seen = new Map(ofPages().map(([, page]) => [page.address, page.seen]));
    const query = new URLSearchParams();
    for (const address of addresses) {
      query.append("page", address);
      query.append("seen", seen.get(address) ?? "");
    }
    const source = new EventSource(`/live?${query}`);
    source.addEventListener("open", () => tell(addresses, { isConnected: true }));
    source.addEventListener("page", ({ lastEventId, data }) => {
      const end = data.indexOf("\n");
      const address = data.slice(0, end);
      for (const [, page] of ofPages()) if (page.address === address) page.seen = lastEventId;
      tell([address], { html: data.slice(end + 1) });
    });
    source.addEventListener("error", () => tell(addresses, { isConnected: false }));
    return source;
  };
}

function runStream(port, page) {
  return () => {
    const from = new URL(page.run);
    if (page.after) from.searchParams.set("after", page.after);
    const source = new EventSource(from);
    source.addEventListener("message", ({ lastEventId, data }) => {
      page.after = lastEventId;
      port.postMessage({ row: data });
    });
    // Told that there is no more, it is closed.
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) return;
      followers.delete(port);
      port.postMessage({ isOver: true });
      arrangeSoon();
    });
    return source;
  };
}

/** What there is to be followed now, by key. */
function wanted() {
  const found = new Map();
  const addresses = [...new Set(ofPages().map(([, { address }]) => address))].sort();
  for (let start = 0; start < addresses.length; start += mostPages) {
    const some = addresses.slice(start, start + mostPages);
    found.set(JSON.stringify(some), pageStream(some));
  }
  for (const [port, page] of ofRuns()) found.set(page, runStream(port, page));
  return found;
}

/** Whatever changed, soon and once. */
function arrangeSoon() {
  if (arranging === null) arranging = setTimeout(arrange, 50);
}

function arrange() {
  arranging = null;
  const next = wanted();
  for (const [key, { source }] of streams) {
    if (next.has(key)) continue;
    source?.close();
    streams.delete(key);
  }
  for (const [key, open] of next) {
    if (!streams.has(key)) streams.set(key, { open, source: null });
  }
  takeTurns();
}

function takeTurns() {
  const waiting = [...streams].filter(([, { source }]) => source === null);
  let places = mostStreams - (streams.size - waiting.length);
  for (const [key, stream] of waiting) {
    if (places-- <= 0) break;
    start(key, stream);
  }
  if (streams.size > mostStreams && turning === null) turning = setTimeout(turn, turnMs);
}

/** Behind all others, so that those who have not had their turn come before it. */
function start(key, stream) {
  streams.delete(key);
  streams.set(key, stream);
  const source = stream.open();
  stream.source = source;
  source.addEventListener("error", () => {
    // A run comes back by itself; a page with what it shows by now.
    if (typeof key !== "string") return;
    source.close();
    setTimeout(() => {
      if (stream.source !== source) return;
      stream.source = null;
      takeTurns();
    }, againMs);
  });
}

/** Whoever has had its turn for longest makes room for one that waits. */
function turn() {
  turning = null;
  const waiting = Math.max(0, streams.size - mostStreams);
  const held = [...streams.values()].filter(({ source }) => source !== null);
  for (const stream of held.slice(0, Math.min(waiting, mostStreams))) {
    stream.source.close();
    stream.source = null;
  }
  takeTurns();
}

addEventListener("connect", ({ ports: [port] }) => {
  port.addEventListener("message", ({ data }) => {
    if (data === null) followers.delete(port);
    else followers.set(port, data);
    arrangeSoon();
  });
  port.start();
});
