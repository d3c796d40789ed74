/** One package archive as the machine is configured to use it. */
export type AptSource = {
  uri: string;
  suites: readonly string[];
  components: readonly string[];
  /** The keyring's path or the key itself, in the form that deb822 wants it, if there is one. */
  signedBy?: string;
  trusted?: boolean;
};

/** Reads a `.list` file: `deb [signed-by=/path arch=amd64] URI suite component...`, one a line. */
export function parseOneLineSources(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split("\n")) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)([^#]*)/.exec(line);
    if (match === null) continue;
    const [, options = "", uri = "", suite = "", components = ""] = match;
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1]?.replaceAll(",", " ");
    sources.push({
      uri,
      suites: [suite],
      components: words(components),
      ...(signedBy !== undefined && { signedBy }),
      ...(/(?:^|\s)trusted=yes/i.test(options) && { trusted: true }),
    });
  }
  return sources;
}

/** Reads a `.sources` file: deb822 stanzas, as `man sources.list` describes them. */
export function parseDeb822Sources(text: string): AptSource[] {
  return text
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .join("\n")
    .split(/\n[ \t]*\n/)
    .flatMap((stanza) => sourcesOfStanza(fieldsOf(stanza)));
}

function sourcesOfStanza(fields: Map<string, string>): AptSource[] {
  if (!words(fields.get("types")).includes("deb")) return [];
  if (/^(no|false|0)$/i.test(fields.get("enabled") ?? "yes")) return [];
  const signedBy = fields.get("signed-by");
  return words(fields.get("uris")).map((uri) => ({
    uri,
    suites: words(fields.get("suites")),
    components: words(fields.get("components")),
    ...(signedBy !== undefined && { signedBy }),
    ...(/^(yes|true|1)$/i.test(fields.get("trusted") ?? "") && { trusted: true }),
  }));
}

/** Field names are case-insensitive; a value goes on in the lines that begin with white space. */
function fieldsOf(stanza: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const match of stanza.matchAll(/^([^\s:]+):(.*(?:\n[ \t].*)*)/gm)) {
    const [, name = "", value = ""] = match;
    fields.set(name.toLowerCase(), value.trim());
  }
  return fields;
}

/**
 * Where Debian's own archive is mirrored, likeliest first: the main archive carries every suite, so
 * the mirror of the installed suite has the newer ones too. Security archives and backports do not
 * count, nor does what other vendors offer unless nothing else is configured.
 */
export function debianMirrors(sources: readonly AptSource[]): AptSource[] {
  const mirrors = new Map<string, AptSource>();
  for (const source of sources) {
    const isMain = source.components.includes("main");
    const isSecurity = source.suites.every((suite) => /-security$|\/updates$/.test(suite));
    if (isMain && !isSecurity && !mirrors.has(source.uri)) mirrors.set(source.uri, source);
  }
  const isDebian = ({ uri }: AptSource) => Number(/\/debian\/?$/.test(uri));
  return [...mirrors.values()].sort((a, b) => isDebian(b) - isDebian(a));
}

/** The same mirror offering another suite, as the text of a `.sources` file. */
export function sourcesFile(mirror: AptSource, suite: string): string {
  return [
    "Types: deb",
    `URIs: ${mirror.uri}`,
    `Suites: ${suite}`,
    "Components: main",
    ...(mirror.signedBy === undefined ? [] : [`Signed-By: ${mirror.signedBy}`]),
    ...(mirror.trusted === true ? ["Trusted: yes"] : []),
    "",
  ].join("\n");
}

function words(text = ""): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
