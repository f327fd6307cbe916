// The Socket.IO client: the installed npm package, which the server serves, else the public copy with its integrity hash.

const CDN = {
  src: "https://cdn.socket.io/4.8.4/socket.io.min.js", crossOrigin: "anonymous",
  integrity: "sha384-fBrXvbDtHoeKWJ/hcA6M+YGueiDW+h45I7V6F2kD1S8bOkrF9rZYPLVkCR6BLR/1",
};
const load = (attributes) => new Promise((resolve, reject) => {
  document.head.append(Object.assign(document.createElement("script"), { ...attributes, onload: resolve, onerror: reject }));
});

/** Load it, and return its `io`. */
export async function loadSocketIO() {
  try { await load({ src: "/socket.io.min.js" }).catch(() => load(CDN)); } catch {
    throw { code: "UNREACHABLE", message: "The Socket.IO client could not be loaded." };
  }
  return window.io;
}
