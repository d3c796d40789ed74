import { describe, expect, test } from "vitest";
import {
  debianMirrors,
  parseDeb822Sources,
  parseOneLineSources,
  sourcesFile,
} from "../../src/embedded/apt-sources.ts";

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

describe("one-line sources", () => {
  test("a line with options gives its mirror, suite, components and keyring", () => {
    expect(
      parseOneLineSources(
        `deb [arch=amd64 signed-by=${keyring}] http://m.test/debian trixie main x`,
      ),
    ).toEqual([
      {
        uri: "http://m.test/debian",
        suites: ["trixie"],
        components: ["main", "x"],
        signedBy: keyring,
      },
    ]);
  });

  test("a line without options has no keyring of its own", () => {
    expect(parseOneLineSources("deb http://m.test/debian trixie main # the usual")).toEqual([
      { uri: "http://m.test/debian", suites: ["trixie"], components: ["main"] },
    ]);
  });

  test("comments and source archives are passed over", () => {
    const text = "# deb http://m.test/a trixie main\n\ndeb-src http://m.test/b trixie main\n";
    expect(parseOneLineSources(text)).toEqual([]);
  });

  test("what the machine trusts without a signature stays trusted", () => {
    expect(parseOneLineSources("deb [trusted=yes] file:/srv/debian sid main")[0]?.trusted).toBe(
      true,
    );
  });
});

describe("deb822 sources", () => {
  test("each URI of each stanza is a source of its own", () => {
    const text = [
      "# Debian",
      "Types: deb deb-src",
      "URIs: http://one.test/debian http://two.test/debian",
      "Suites: trixie trixie-updates",
      "Components: main",
      `Signed-By: ${keyring}`,
      "",
      "types: deb",
      "uris: http://one.test/debian-security",
      "suites: trixie-security",
      "components: main",
    ].join("\n");
    expect(parseDeb822Sources(text)).toEqual([
      {
        uri: "http://one.test/debian",
        suites: ["trixie", "trixie-updates"],
        components: ["main"],
        signedBy: keyring,
      },
      {
        uri: "http://two.test/debian",
        suites: ["trixie", "trixie-updates"],
        components: ["main"],
        signedBy: keyring,
      },
      {
        uri: "http://one.test/debian-security",
        suites: ["trixie-security"],
        components: ["main"],
      },
    ]);
  });

  test("a disabled stanza and one of sources only are passed over", () => {
    const body = "URIs: http://m.test/debian\nSuites: sid\nComponents: main\n";
    expect(parseDeb822Sources(`Types: deb\nEnabled: no\n${body}\nTypes: deb-src\n${body}`)).toEqual(
      [],
    );
  });

  test("a key within the file goes into the file for the newer suite unchanged", () => {
    const key =
      "-----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEY\n -----END PGP PUBLIC KEY BLOCK-----";
    const text = `Types: deb\nURIs: http://m.test/debian\nSuites: sid\nComponents: main\nSigned-By:\n ${key}\n`;
    const [source] = parseDeb822Sources(text);
    expect(source && sourcesFile(source, "forky")).toBe(
      `Types: deb\nURIs: http://m.test/debian\nSuites: forky\nComponents: main\nSigned-By: ${key}\n`,
    );
  });
});

test("the mirror is Debian's main archive, not its security archive, and other vendors come last", () => {
  const sources = parseOneLineSources(
    [
      "deb https://vendor.test/apt stable main",
      "deb http://m.test/debian-security trixie-security main",
      "deb http://m.test/debian trixie main",
      "deb http://m.test/debian trixie-updates main",
      "deb http://m.test/tools trixie contrib",
    ].join("\n"),
  );
  expect(debianMirrors(sources).map(({ uri }) => uri)).toEqual([
    "http://m.test/debian",
    "https://vendor.test/apt",
  ]);
});
