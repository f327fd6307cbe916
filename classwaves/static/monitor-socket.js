// A Socket.IO client of one namespace over WebSocket, as little of one as the monitor needs: no other package, no CDN.
// Socket.IO protocol 5 over Engine.IO protocol 4: each message begins with Engine.IO's type ("0" open, "2" ping,
// "3" pong, "4" message), and a message with Socket.IO's ("0" connect, "1" disconnect, "2" event, "4" connect error).

const FIRST_WAIT = 500;
const LONGEST_WAIT = 10_000;

export class NamespaceSocket {
  // handlers: connected(), lost(seconds until the next try), refused({code, message}), event(name, data)
  constructor(url, namespace, token, handlers) {
    this.url = url;
    this.namespace = namespace;
    this.token = token; // a function: a later connection may need another token
    this.handlers = handlers;
    this.failures = 0;
    this.open();
  }

  open() {
    this.last = null; // why the server is about to disconnect, if it says so
    this.socket = new WebSocket(this.url);
    this.socket.addEventListener("message", (message) => this.receive(String(message.data)));
    this.socket.addEventListener("close", () => this.comeBack());
    this.watch(20_000);
  }

  // Whoever hears nothing for so long has lost the connection, whatever the browser believes.
  watch(milliseconds) {
    clearTimeout(this.silence);
    this.patience = milliseconds;
    const socket = this.socket;
    this.silence = setTimeout(() => {
      socket.close();
      if (socket === this.socket) this.comeBack();
    }, milliseconds);
  }

  receive(text) {
    if (this.ended) return;
    this.watch(this.patience);
    const head = `${this.namespace},`;
    if (text[0] === "0") {
      const { pingInterval, pingTimeout } = JSON.parse(text.slice(1));
      this.watch(pingInterval + pingTimeout);
      this.socket.send(`40${head}${JSON.stringify({ token: this.token() })}`);
    } else if (text === "2") {
      this.socket.send("3");
    } else if (text[0] === "4" && text.slice(2).startsWith(head)) {
      this.packet(text[1], text.slice(2 + head.length));
    }
  }

  packet(type, body) {
    if (type === "0") {
      this.failures = 0;
      this.handlers.connected();
    } else if (type === "2") {
      const [name, data] = JSON.parse(body);
      if (name === "error") this.last = data;
      this.handlers.event(name, data);
    } else if (type === "4") {
      this.refuse(JSON.parse(body).data);
    } else if (type === "1") {
      this.refuse(this.last);
    }
  }

  refuse(reason) {
    this.close();
    this.handlers.refused(reason ?? { code: "", message: "The server has ended the connection" });
  }

  comeBack() {
    clearTimeout(this.silence);
    if (this.ended || this.waiting) return;
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.failures) * (0.5 + Math.random() / 2);
    this.failures += 1;
    this.handlers.lost(wait / 1000);
    this.waiting = setTimeout(() => {
      this.waiting = undefined;
      this.open();
    }, wait);
  }

  send(name, data) {
    if (this.socket.readyState === WebSocket.OPEN) {
      this.socket.send(`42${this.namespace},${JSON.stringify([name, data])}`);
    }
  }

  close() {
    this.ended = true;
    clearTimeout(this.silence);
    clearTimeout(this.waiting);
    this.socket.close();
  }
}
