// A worker that all pages of a browser share, so that all of them together hold one connection: browsers have few.

/** Each page's port → what it follows: its address, and what it shows now. */
const pages = new Map();
let source = null;
let timer = null;

function tell(message, address) {
  for (const [port, page] of pages) {
    if (address === undefined || page.address === address) port.postMessage(message);
  }
}

/** Whatever changed, soon and once. */
function connectSoon(afterMs = 50) {
  clearTimeout(timer);
  timer = setTimeout(connect, afterMs);
}

function connect() {
  source?.close();
  source = null;
  if (pages.size === 0) return;
  const query = new URLSearchParams();
  const followed = new Map([...pages.values()].map((page) => [page.address, page.seen]));
  for (const [address, seen] of followed) {
    query.append("page", address);
    query.append("seen", seen);
  }
  source = new EventSource(`/live?${query}`);
  source.addEventListener("open", () => tell({ isConnected: true }));
  source.addEventListener("page", ({ lastEventId, data }) => {
    const end = data.indexOf("\n");
    const address = data.slice(0, end);
    for (const page of pages.values()) if (page.address === address) page.seen = lastEventId;
    tell({ html: data.slice(end + 1) }, address);
  });
  source.addEventListener("error", () => {
    tell({ isConnected: false });
    connectSoon(2_000);
  });
}

addEventListener("connect", ({ ports: [port] }) => {
  port.addEventListener("message", ({ data }) => {
    if (data === null) pages.delete(port);
    else pages.set(port, data);
    connectSoon();
  });
  port.start();
});
