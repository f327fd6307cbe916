// Classrooms of the JavaScript client, by remote control: each line on standard input is a JSON command, answered by a line
// of JSON that has its number, whenever it is done. Kept simple: what is done to the servers meanwhile, Python decides.
import { createInterface } from "node:readline";
import { inspect } from "node:util";
import { io } from "socket.io-client";
import { Classroom, ClassWavesError } from "../../clients/js/classwaves.js";

const rooms = new Map(); // name -> {room, heard, tokens, asked}
const storages = new Map(); // name -> a sessionStorage: it survives the room of that name

class Storage {
  kept = new Map();
  room = Infinity; // for so many characters
  getItem = (key) => this.kept.get(key) ?? null;
  setItem(key, value) {
    if (value.length > this.room) throw new Error("QuotaExceededError");
    this.kept.set(key, value);
  }
  removeItem = (key) => this.kept.delete(key);
}

const commands = {
  // What refresh gives, one after the other: a token, null, or {code} and {} to throw.
  open(name, { tokens, stored, closeOn, againOn, ...given }) {
    const one = { heard: [], tokens, asked: 0 };
    const refresh = async () => {
      one.asked += 1;
      const next = one.tokens.length > 1 ? one.tokens.shift() : one.tokens[0];
      if (next !== null && typeof next === "object") throw next.code ? new ClassWavesError(next) : new Error("no network");
      return next;
    };
    if (stored && !storages.has(name)) storages.set(name, new Storage());
    one.room = new Classroom({
      ...given,
      io,
      refresh: tokens && refresh,
      storage: stored && storages.get(name),
      options: { reconnectionDelay: 50, reconnectionDelayMax: 200, ...given.options },
    });
    one.room.on("*", (event, data, error) => one.heard.push(event === "state" ? [event, { state: data, code: error?.code }] : [event, data]));
    if (closeOn) one.room.on(closeOn, () => one.room.close());
    if (againOn) one.room.on(againOn, () => (one.room.close(), one.room.join()));
    rooms.set(name, one);
  },
  call: (name, method, ...args) => rooms.get(name).room[method](...args),
  look(name) {
    const { room, heard, asked } = rooms.get(name);
    const { state, seq, epoch, me } = room;
    return { state, seq, epoch, me, heard, asked };
  },
  give: (name, tokens) => void (rooms.get(name).tokens = tokens), // what refresh gives from now on
  fill: (name) => void (storages.get(name).room = 0),
  shown: (name) => inspect(rooms.get(name).room),
  sendEndless(name) {
    const endless = [];
    endless.push(endless);
    return rooms.get(name).room.send("sendMessage", { message: endless });
  },
  stored: (name) => Object.fromEntries(storages.get(name).kept),
};

createInterface({ input: process.stdin }).on("line", async (line) => {
  const [number, command, ...args] = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await commands[command](...args)) ?? null };
  } catch (error) {
    if (!(error instanceof ClassWavesError)) throw error;
    const { name, code, message, details } = error;
    answer = { error: { name, code, message, details } };
  }
  console.log(JSON.stringify({ number, ...answer }));
});
