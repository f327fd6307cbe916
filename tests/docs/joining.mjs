const { assert, connected, guest, joined, lesson, until } = await import(`${process.env.CHECKOUT}/tests/docs/room.mjs`);

// One socket plays both: what the guest does goes out by the guest's, what staff do by the teacher's.
const { sessionCode: code, teacher } = await lesson({ waitingRoom: true });
const ann = await guest(code);
const sockets = { guest: await connected(ann.accessToken), staff: await joined(teacher, code) };
const userId = ann.user.userId;
const shown = [];
const [show, ask, forget] = [(what) => shown.push(["show", what]), (who) => shown.push(["ask", who]), (who) => shown.push(["forget", who])];
const socket = {
  on(event, handler) {
    for (const one of Object.values(sockets)) one.on(event, handler);
  },
  emit: (...event) => sockets.staff.emit(...event),
  emitWithAck: (...event) => sockets.guest.emitWithAck(...event),
};

// the page

await until(() => shown.some(([how, what]) => how === "show" && what.sessionCode === code));
await until(() => shown.some(([how, what]) => how === "forget" && what === userId));
assert.deepEqual(shown[0], ["show", "Your teacher will let you in."]);
