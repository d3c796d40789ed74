import fc from "fast-check";
import { expect, test } from "vitest";
import { saidIn } from "../../../src/nats/reply.ts";

const count = fc.nat(2 ** 31);

test("a reply subject says where its message is, to the millisecond, with a domain and without", () => {
  fc.assert(
    fc.property(count, count, count, fc.nat(999_999), (sequence, pending, ms, nanos) => {
      const storedAt = 1_796_000_000_000 + ms;
      const time = `${storedAt}${String(nanos).padStart(6, "0")}`;
      const tail = `EVENTS.reader.1.${sequence}.7.${time}.${pending}`;
      const expected = { sequence, storedAt, pending };
      expect(saidIn(`$JS.ACK.${tail}`)).toEqual(expected);
      expect(saidIn(`$JS.ACK.hub.ACCOUNT.${tail}`)).toEqual(expected);
      expect(saidIn(`$JS.ACK.hub.ACCOUNT.${tail}.token`)).toEqual(expected);
    }),
  );
});
