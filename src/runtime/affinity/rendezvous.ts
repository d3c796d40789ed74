/**
 * Which member a key belongs to (highest random weight, Thaler and Ravishankar 1998): the same for whoever knows the same
 * members, in any order. A member that joins or leaves moves only the keys that it gets or had.
 */
export function ownerOf(key: string, members: readonly string[]): string | undefined {
  let owner: string | undefined;
  let most = -1;
  for (const member of members) {
    const weight = weightOf(member, key);
    if (weight < most || (weight === most && owner !== undefined && member > owner)) continue;
    owner = member;
    most = weight;
  }
  return owner;
}

/** 32 bits: FNV-1a over both, then the last steps of murmur3, without which members of like names have like weights. */
function weightOf(member: string, key: string): number {
  let hash = fnv(fnv(0x811c9dc5, member), key);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function fnv(from: number, text: string): number {
  let hash = from;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  // An end, so that no two pairs of texts are one text.
  return Math.imul(hash ^ 0xff, 0x01000193);
}
