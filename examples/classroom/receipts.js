// Read receipts: how far everybody has read is one cursor each, which only goes forward.

const PAUSE = 1000; // a cursor that runs is told once a second

/** @param canSee whether the newest message is before somebody's eyes */
export function receipts(room, me, people, list, canSee) {
  let cursors = new Map(), told = 0, timer = null;
  people.addEventListener("change", draw);
  room.on("readReceiptUpdated", ({ userId, messageId }) => { cursors.set(userId, messageId); draw(); });

  function restore(snapshot) {
    cursors = new Map(Object.entries(snapshot || {}));
    told = 0;
  }

  /** Tell that what is on the screen was read. */
  function seen() {
    if (timer || !canSee() || list.newest <= told) return;
    timer = setTimeout(async () => {
      timer = null;
      const last = [...list.byId.values()].reduce((a, b) => (a && a.data.seq > b.data.seq ? a : b), null);
      if (!last || !canSee() || last.data.seq <= told || room.state !== "joined") return;
      told = last.data.seq;
      try { await room.send("markRead", { messageId: last.data.messageId }); } catch (error) {
        if (room.state === "joined" && !["MESSAGE_NOT_FOUND", "SESSION_ENDED"].includes(error.code)) throw error; // taken back meanwhile; over
      }
      seen();
    }, PAUSE);
  }
  document.addEventListener("visibilitychange", seen);

  /** Below one's newest message: who has read it, of those who are in the session. */
  function draw() {
    const own = [...list.byId.values()].filter(({ data }) => data.userId === me.userId).reduce((a, b) => (a && a.data.seq > b.data.seq ? a : b), null);
    if (!own) return list.receipt(null);
    const others = [...people.all.values()].filter((one) => one.userId !== me.userId && one.role !== "transcriber");
    const readers = others.filter((one) => (list.byId.get(cursors.get(one.userId))?.data.seq || 0) >= own.data.seq);
    const words = !readers.length ? "Sent" : readers.length === others.length && others.length > 1 ? "Read by everyone"
      : readers.length < 3 ? "Read by " + readers.map((one) => `\u2068${one.displayName}\u2069`).join(" and ") : `Read by ${readers.length}`;
    list.receipt(own, words, readers.length > 0);
  }
  return { restore, seen, draw };
}
