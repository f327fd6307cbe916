const { assert, login, rest, until } = await import(`${process.env.CHECKOUT}/tests/docs/room.mjs`);

const first = await login("student");
const token = first.accessToken;
const renew = async () => (await rest("/auth/refresh", first.refreshToken)).accessToken;
const shown = [], banners = [];
const show = ({ message }) => shown.push(message);
const clear = () => (shown.length = 0);
const people = (found) => assert(found.length);
const person = () => {};
const banner = (...what) => banners.push(what.find(Boolean));

// the page

await until(() => shown.includes("Good morning"));
assert.deepEqual(banners, ["connecting", "joined", "FORBIDDEN"]);
room.close();
