const { assert, heard, io, login, rest, url } = await import(`${process.env.CHECKOUT}/tests/docs/room.mjs`);

const first = await login("student");
let token = first.accessToken;
const renew = () => rest("/auth/refresh", first.refreshToken);
const shown = [];
const show = (...what) => shown.push(what);

// the page

await heard(socket, "connectionReady");
assert.equal(shown[0][1], "student");
// the server would say so a minute before the token's end
for (const handler of socket.listeners("authExpiring")) await handler({ expiresAt: shown[0][2] });
assert.notEqual(token, first.accessToken);
