// The browser's own speech recognition as a stream of captions. An interim text is replaced by the next one of its segment, a
// final one closes the segment; only the newest text of each waits while there is no connection.
import { newId } from "../ui.js";

export const Recognition = globalThis.SpeechRecognition ?? globalThis.webkitSpeechRecognition;

const ALIVE = 15_000; // ms: a teacher who is silent is no stream that has stalled
const AGAIN = 300; // ms until the next run
const LONGEST = 4000; // characters of one text
const HOPELESS = ["not-allowed", "service-not-allowed", "network", "language-not-supported", "audio-capture"];
const PASSING = ["NO_ANSWER", "RATE_LIMIT", "SERVICE_UNAVAILABLE"];

export class Captioner {
  #stream = newId();
  #run = 0;
  #began = performance.now();
  #first = new Map(); // segmentId -> when its first words came
  #revision = 0;
  #unsent = new Map(); // segmentId -> its newest text, oldest segment first
  #sending = false;
  #over = false;
  #recognition = null;
  #alive = null;

  /** `failed(why)` is called when it cannot go on. */
  constructor(room, language, failed) {
    Object.assign(this, { room, language, failed });
  }

  start() {
    this.#tell("startTranscription");
    this.#alive = setInterval(() => this.room.state === "joined" && this.#tell("startTranscription"), ALIVE);
    this.#listen();
  }

  stop(failed = false) {
    this.#over = true;
    clearInterval(this.#alive);
    this.#recognition.onend = this.#recognition.onresult = this.#recognition.onerror = null;
    this.#recognition.stop();
    this.#tell("stopTranscription", failed ? { failed: true } : {});
  }

  #tell(event, more = {}) {
    this.room.send(event, { streamId: this.#stream, ...more }).catch((error) => {
      if (event === "startTranscription" && !this.#over) this.failed(error.message);
    });
  }

  // A browser ends a recognition now and then, e.g. after a silence: then comes the next run.
  #listen() {
    const recognition = (this.#recognition = new Recognition()), run = ++this.#run;
    Object.assign(recognition, { continuous: true, interimResults: true, lang: this.language });
    recognition.onresult = ({ resultIndex, results }) => {
      for (let at = resultIndex; at < results.length; at++) this.#heard(`${this.#stream.slice(0, 40)}-${run}-${at}`, results[at]);
    };
    recognition.onerror = ({ error }) => {
      if (HOPELESS.includes(error)) this.failed(`The browser's speech recognition does not work here (${error}).`);
    };
    recognition.onend = () => setTimeout(() => !this.#over && this.#listen(), AGAIN);
    recognition.start();
  }

  #heard(segmentId, result) {
    const text = result[0].transcript.trim().slice(0, LONGEST), now = Math.round(performance.now() - this.#began);
    if (!text) return;
    if (!this.#first.has(segmentId)) this.#first.set(segmentId, now);
    const confidence = result[0].confidence > 0 ? Math.min(1, result[0].confidence) : undefined;
    const segment = { segmentId, revision: ++this.#revision, text, isFinal: result.isFinal, confidence, language: this.language, startMs: this.#first.get(segmentId), endMs: now };
    if (result.isFinal) this.#first.delete(segmentId);
    this.#unsent.delete(segmentId); // the newest takes the place of what waits
    this.#unsent.set(segmentId, segment);
    this.#send();
  }

  async #send() { // one at a time, so that none overtakes another
    if (this.#sending) return;
    this.#sending = true;
    while (this.#unsent.size) {
      const [segmentId, segment] = this.#unsent.entries().next().value;
      const sent = await this.room.send("publishTranscription", { streamId: this.#stream, ...segment }).then(() => true, (error) => !PASSING.includes(error.code));
      if (!sent) await new Promise((resolve) => setTimeout(resolve, 1000));
      else if (this.#unsent.get(segmentId) === segment) this.#unsent.delete(segmentId);
    }
    this.#sending = false;
  }
}
