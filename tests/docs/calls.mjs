const { assert, guest, joined, lesson, until } = await import(`${process.env.CHECKOUT}/tests/docs/room.mjs`);

// one who is called by themselves: a signal to oneself reaches one's own sockets
const { sessionCode } = await lesson();
const { accessToken, user } = await guest(sessionCode);
const socket = await joined(accessToken, sessionCode);
const [targetUserId, callId, type, payload] = [user.userId, "call-1", "offer", { type: "offer", sdp: "v=0" }];
const taken = [];
const take = (...signal) => taken.push(signal);

// the page

assert.deepEqual(ack, { ok: true });
await until(() => taken.length);
assert.deepEqual(taken, [[user.userId, "offer", payload]]);
