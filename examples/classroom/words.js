// Problems in words, where a page can say more than the server's own message. The codes are those of docs/errors.md.

const WORDS = {
  AUTH_REQUIRED: "Please log in first.",
  INVALID_TOKEN: "This login is not valid. Please log in again.",
  TOKEN_EXPIRED: "Your login has expired. Please log in again.",
  TOKEN_REVOKED: "You were logged out. Please log in again.",
  SESSION_EXPIRED: "Your login has ended. Please log in again.",
  INVALID_CREDENTIALS: "User name or password is wrong.",
  INVALID_PAYLOAD: "The server did not accept this.",
  NOT_IN_SESSION: "Join the session first.",
  SESSION_NOT_FOUND: "There is no session with this code.",
  SESSION_ACCESS_DENIED: "You are not allowed in this session.",
  SESSION_NOT_ACTIVE: "The session is not running at the moment.",
  SESSION_ENDED: "The session has ended.",
  SESSION_FULL: "There is no free place in this session.",
  CONFLICT: "This does not fit any more: someone was faster.",
  RATE_LIMIT: "That was too fast. Please wait a moment.",
  CONNECTION_LIMIT: "There are too many connections. Please wait a moment.",
  PEER_UNAVAILABLE: "This participant is not connected.",
  SERVICE_UNAVAILABLE: "The server cannot store this right now.",
  CLOSED: "You are not in the session any more.",
  UNREACHABLE: "The server cannot be reached.",
};
const REASONS = {
  muted: "You are muted.",
  focus: "Only the teacher can write at the moment.",
  quiz: "The chat is closed during the quiz.",
  notStaff: "Only the teacher can do this.",
  staff: "This cannot be done to a teacher.",
  fileSharing: "Files are turned off in this session.",
};

export function inWords(error) {
  const { code, message, details = {}, retryAfterMs } = error;
  let text = REASONS[details?.reason] || WORDS[code] || (message || "Something went wrong").replace(/\.?$/, ".");
  if (code === "INVALID_PAYLOAD") {
    const why = Object.values(details || {}).flat().find((one) => typeof one === "string");
    if (why) text += ` (${why.replace(/\.$/, "")})`;
  }
  if (retryAfterMs) text += ` Try again in ${Math.max(1, Math.ceil(retryAfterMs / 1000))} s.`;
  return text;
}

export const STATUS = { created: "Not started", active: "Live", paused: "Paused", ended: "Ended" };
export const PRESENCE = { active: "Here", idle: "Idle", away: "Away", disconnected: "Connection lost", left: "Left" };
