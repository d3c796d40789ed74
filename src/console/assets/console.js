// What pages do while they are open: times grow older, and what changes is changed in place. All of it works without, too.

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
];

/** As `relative` of `parts/time.tsx`. */
function relative(ms) {
  const [name, size] = units.find(([, one]) => Math.abs(ms) >= one) ?? [];
  if (size === undefined) return "just now";
  const text = `${Math.floor(Math.abs(ms) / size)} ${name}`;
  return ms > 0 ? `in ${text}` : `${text} ago`;
}

function showTimes() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const text = relative(Date.parse(time.dateTime) - Date.now());
    if (time.textContent !== text) time.textContent = text;
  }
}

setInterval(showTimes, 5_000);

// Changing a page in place: what is the same stays, with focus, selection and what was typed.

/** Elements that somebody may be using. */
const isKept = (element) => element.matches("input, select, textarea");

function change(from, to) {
  if (from.nodeType === Node.TEXT_NODE) {
    if (from.data !== to.data) from.data = to.data;
    return;
  }
  if (from.isEqualNode(to) || isKept(from)) return;
  const isOwn = (name) => name === "open" || (name === "class" && from.matches(".is-new"));
  for (const { name } of [...from.attributes]) {
    if (!isOwn(name) && !to.hasAttribute(name)) from.removeAttribute(name);
  }
  for (const { name, value } of to.attributes) {
    if (!isOwn(name) && from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
  changeChildren(from, to);
}

const isAlike = (a, b) =>
  a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id ?? "") === (b.id ?? "");

function changeChildren(from, to) {
  const known = new Map([...from.children].filter(({ id }) => id).map((one) => [one.id, one]));
  let next = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const same = wanted.id ? known.get(wanted.id) : undefined;
    if (same && same !== next) {
      from.insertBefore(same, next);
      change(same, wanted);
    } else if (next && isAlike(next, wanted)) {
      change(next, wanted);
      next = next.nextSibling;
    } else from.insertBefore(arrived(wanted), next);
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}

/** Something new: it is seen, and heard by whoever does not see it. */
function arrived(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return node;
  const token = document.querySelector("meta[name=form-token]")?.content ?? "";
  for (const input of node.querySelectorAll("input[name=form_token]")) input.value = token;
  const all = [node, ...node.querySelectorAll("[data-news]")];
  for (const one of all.filter(({ dataset }) => dataset.news)) {
    one.classList.add("is-new");
    document.getElementById("news").textContent = `There is a new ${one.dataset.news}.`;
  }
  return node;
}

const live = document.querySelector("[data-live]");

function showPage(html) {
  const parsed = new DOMParser().parseFromString(`<div>${html}</div>`, "text/html");
  changeChildren(live, parsed.querySelector("div"));
  showTimes();
}

/** Calls `begin` while somebody looks, and what it returns when nobody does. */
function whileSeen(begin) {
  let end = null;
  const look = () => {
    if (document.hidden) {
      end?.();
      end = null;
    } else end ??= begin();
  };
  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", () => {
    end?.();
    end = null;
  });
  addEventListener("pageshow", look);
  look();
}

function hear({ html, isConnected }) {
  document.getElementById("stale").hidden = isConnected !== false;
  if (html !== undefined) showPage(html);
}

/** What the worker that all pages share hears of this one; null where there is none. */
function openWorker(address, hearIt) {
  if (!("SharedWorker" in window)) return null;
  const { port } = new SharedWorker(address);
  port.addEventListener("message", ({ data }) => hearIt(data));
  port.start();
  return port;
}

/** Through the worker that all pages share; by itself where there is none. */
function followPage({ live: address, seen, worker }) {
  const port = openWorker(worker, hear);
  if (port === null) return followAlone(address, seen);
  whileSeen(() => {
    // Whatever was changed in place meanwhile: at worst the same comes once more.
    port.postMessage({ address, seen });
    return () => port.postMessage(null);
  });
}

function followAlone(address, seen) {
  whileSeen(() => {
    const source = new EventSource(`/live?${new URLSearchParams({ page: address, seen })}`);
    source.addEventListener("page", ({ data }) =>
      hear({ html: data.slice(data.indexOf("\n") + 1) }),
    );
    source.addEventListener("open", () => hear({ isConnected: true }));
    source.addEventListener("error", () => hear({ isConnected: false }));
    return () => source.close();
  });
}

if (live) followPage(live.dataset);

// A run: events are put under the others as they come. So many stay that the page remains quick.

/** All that came since the last time the page was drawn, at once. */
function followRun(list) {
  const most = Number(list.dataset.most);
  let waiting = [];
  const draw = () => {
    const isAtEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 80;
    const html = waiting.slice(-most).join("");
    waiting = [];
    const parsed = new DOMParser().parseFromString(`<ol>${html}</ol>`, "text/html");
    list.append(...parsed.querySelector("ol").childNodes);
    while (list.childElementCount > most) list.firstElementChild.remove();
    if (isAtEnd) scrollTo(0, document.documentElement.scrollHeight);
  };
  const add = (row) => {
    if (waiting.length === 0) setTimeout(draw, 50);
    waiting.push(row);
    if (waiting.length > 2 * most) waiting = waiting.slice(-most);
  };
  const port = openWorker(list.dataset.worker, ({ row, isOver }) => {
    if (row !== undefined) add(row);
    if (isOver) showEnd();
  });
  whileSeen(() => {
    if (waiting.length > 0) draw();
    const from = new URL(list.dataset.follow, location.href);
    const after = list.lastElementChild?.id.replace("event-", "") ?? "";
    if (port === null) return followRunAlone(from, after, add);
    port.postMessage({ run: from.href, after });
    return () => port.postMessage(null);
  });
}

function followRunAlone(from, after, add) {
  if (after) from.searchParams.set("after", after);
  const source = new EventSource(from);
  source.addEventListener("message", ({ data }) => add(data));
  // Told that there is no more, it is closed.
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) showEnd();
  });
  return () => source.close();
}

/** What is said of the run has changed. */
async function showEnd() {
  const response = await fetch(location.href);
  const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
  const facts = parsed.getElementById("facts");
  if (facts === null) return location.reload();
  change(document.getElementById("facts"), facts);
  showTimes();
  const isOver = parsed.getElementById("following") === null;
  const text = isOver ? "The run is over." : "Not connected: load the page again.";
  document.getElementById("following").textContent = text;
}

const followed = document.querySelector("[data-follow]");
if (followed) followRun(followed);
