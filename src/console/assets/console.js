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
  const { news } = node.dataset;
  if (news) {
    node.classList.add("is-new");
    const status = document.getElementById("news");
    if (status) status.textContent = `There is a new ${news}.`;
  }
  return node;
}

const main = document.querySelector("main[data-live]");

function showPage(html) {
  const parsed = new DOMParser().parseFromString(`<main>${html}</main>`, "text/html");
  changeChildren(main, parsed.querySelector("main"));
  showTimes();
}

/** Only while somebody looks. */
function followPage() {
  let source = null;
  const open = () => {
    if (source) return;
    source = new EventSource(main.dataset.live);
    source.addEventListener("page", ({ data }) => showPage(data));
  };
  const look = () => {
    if (!document.hidden) return open();
    source?.close();
    source = null;
  };
  document.addEventListener("visibilitychange", look);
  look();
}

if (main) followPage();
