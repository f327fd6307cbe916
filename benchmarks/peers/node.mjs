// Node's Socket.IO as its documentation shows it: rooms and emit, its Redis adapter if there is a Redis.
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { Redis } from "ioredis";
import { Server } from "socket.io";
// ws uses it wherever it is installed; imported so that a start without it fails
import "bufferutil";

const http = createServer((request, response) => response.end("ok"));
const io = new Server(http);

if (process.env.REDIS_URL) {
    const publisher = new Redis(process.env.REDIS_URL);
    io.adapter(createAdapter(publisher, publisher.duplicate()));
}

io.on("connection", (socket) => {
    socket.on("joinSession", (code) => {
        socket.join(code);
        socket.emit("sessionJoined", { sessionCode: code });
    });
    socket.on("sendMessage", (data) => {
        const about = { userId: socket.id, timestamp: new Date().toISOString() };
        io.to(data.sessionCode).emit("messageReceived", { ...data, ...about });
    });
});

http.listen(Number(process.env.PORT), "127.0.0.1");
