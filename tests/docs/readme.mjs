const { assert, login } = await import(`${process.env.CHECKOUT}/tests/docs/room.mjs`);

const token = (await login("student")).accessToken;
const shown = [];
const show = (...what) => shown.push(what);

// the page

assert.equal(shown[0][0], "Demo lesson");
assert.equal(shown.at(-1)[1], "Good morning");
room.close();
