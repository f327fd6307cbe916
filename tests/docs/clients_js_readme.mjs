const { assert, login, until } = await import(`${process.env.CHECKOUT}/tests/docs/room.mjs`);

const token = (await login("student")).accessToken;
const shown = [];
const showAll = () => (shown.length = 0);
const show = (name, message) => shown.push(message);

// the page

await until(() => shown.includes("Good morning"));
room.close();
