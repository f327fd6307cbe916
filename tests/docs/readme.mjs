const { assert, login, until } = await import(`${process.env.CHECKOUT}/tests/docs/room.mjs`);

const token = (await login("student")).accessToken;
const shown = [];
const show = (...what) => shown.push(what);

// the page

await until(() => shown.at(-1)?.[1] === "Good morning"); // it may come after the answer
assert.equal(shown[0][0], "Demo lesson");
room.close();
