// One file on its way to the class: hashed, sent in chunks, checked by the server, shared. The room repeats what a lost
// connection has swallowed; here is what else may happen to a file, as docs/files.md has it.

const AGAIN = 3; // so often is a file begun anew that the server has given up meanwhile

/** `new Upload(room, file, changed)`, then `run()`. `changed` is called whenever one of the public fields has another value. */
export class Upload {
  state = "reading"; // reading, sending, checking, done, cancelled, failed
  sent = 0; // bytes that the server has
  already = false; // this file was shared before
  error = null;
  #fileId = null;

  constructor(room, file, changed) {
    Object.assign(this, { room, file, changed });
  }

  get isOver() {
    return ["done", "cancelled", "failed"].includes(this.state);
  }

  /** Never rejects: what went wrong is in `error`. */
  async run() {
    try {
      const begin = await this.#describe();
      for (let tries = 1; !this.isOver; tries++) {
        try {
          await this.#send(begin);
        } catch (error) {
          if (error.code !== "FILE_NOT_FOUND" || tries >= AGAIN) throw error; // given up, as nothing came for long
        }
      }
    } catch (error) {
      if (this.isOver) return; // of no interest after a cancel
      this.error = error;
      this.#is("failed");
    }
  }

  async cancel() {
    if (this.isOver) return;
    this.#is("cancelled");
    if (this.#fileId) await this.room.send("fileCancel", { fileId: this.#fileId }).catch((error) => {
      if (error.code !== "FILE_NOT_FOUND") throw error; // it is gone already
    });
  }

  #is(state) {
    this.state = state;
    this.changed(this);
  }

  // The id is made of what is in the file: who chooses it again after a reload goes on where it was broken off.
  async #describe() {
    const { file } = this;
    if (!globalThis.crypto?.subtle) throw { code: "INPUT", message: "Files can be sent on https and on localhost only" };
    const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    const sha256 = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
    return { clientFileId: sha256, fileName: file.name, mimeType: file.type || "application/octet-stream", size: file.size, sha256 };
  }

  async #send(begin) {
    if (this.isOver) return;
    const { room, file } = this, { fileId, chunkSize, nextIndex, complete } = await room.send("fileStart", begin);
    this.#fileId = fileId;
    if (this.isOver) return void room.send("fileCancel", { fileId }).catch(() => {}); // cancelled while it began; else it ends by itself
    if (complete) {
      this.already = true;
      return this.#is("done");
    }
    this.#is("sending");
    for (let index = nextIndex; index * chunkSize < file.size && !this.isOver; ) {
      this.sent = index * chunkSize;
      this.changed(this);
      const data = await file.slice(index * chunkSize, (index + 1) * chunkSize).arrayBuffer();
      index = await this.#chunk({ fileId, index, data });
    }
    if (this.isOver) return;
    this.sent = file.size;
    this.#is("checking");
    await room.send("fileComplete", { fileId });
    if (!this.isOver) this.#is("done");
  }

  // Returns the index that is wanted next, also when the server says that it wanted another one.
  async #chunk(chunk) {
    try {
      return (await this.room.send("fileChunk", chunk)).nextIndex;
    } catch (error) {
      if (error.code === "RATE_LIMIT") { // the room waits out a short while itself; this is the minute's share
        await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs ?? 1000));
        return chunk.index;
      }
      const wanted = error.details?.nextIndex;
      if (error.code !== "INVALID_PAYLOAD" || !Number.isInteger(wanted) || wanted === chunk.index) throw error;
      return wanted;
    }
  }
}
