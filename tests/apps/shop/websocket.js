// The part of RFC 6455 that an echo of text frames needs.
import { createHash } from 'node:crypto';

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

function frame(opcode, payload) {
  const head = payload.length < 126
    ? Buffer.from([0x80 | opcode, payload.length])
    : Buffer.from([0x80 | opcode, 126, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([head, payload]);
}

// -> { opcode, payload, rest }, or null while the frame is incomplete. Client frames are always masked.
function parse(data) {
  if (data.length < 2) return null;
  if (!(data[1] & 0x80) || (data[1] & 0x7f) === 127) return { opcode: CLOSE, payload: closing(1009), rest: data };
  const long = (data[1] & 0x7f) === 126;
  if (long && data.length < 4) return null;
  const length = long ? data.readUInt16BE(2) : data[1] & 0x7f;
  const start = (long ? 4 : 2) + 4;
  if (data.length < start + length) return null;
  const mask = data.subarray(start - 4, start);
  const payload = Buffer.from(data.subarray(start, start + length).map((byte, at) => byte ^ mask[at % 4]));
  return { opcode: data[0] & 0x0f, payload, rest: data.subarray(start + length) };
}

function closing(code) {
  return Buffer.from([code >> 8, code & 0xff]);
}

export function closeWebsocket(socket, code = 1001) {
  if (socket.writable) socket.end(frame(CLOSE, closing(code)));
  setTimeout(() => socket.destroy(), 2000).unref(); // a client that does not answer must not hold up the stop
}

export function acceptWebsocket(request, socket, head) {
  const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash('sha1').update(key).digest('base64');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  let data = Buffer.alloc(0);
  const receive = (chunk) => {
    data = Buffer.concat([data, chunk]);
    for (let next = parse(data); next && socket.writable; next = parse(data)) {
      data = next.rest;
      if (next.opcode === TEXT) socket.write(frame(TEXT, next.payload));
      if (next.opcode === PING) socket.write(frame(PONG, next.payload));
      if (next.opcode === CLOSE) socket.end(frame(CLOSE, next.payload));
    }
  };
  socket.on('data', receive);
  receive(head);
}
