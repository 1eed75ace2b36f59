// The HTTP server: site, API, webhooks, cron.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import {
  app, appliedMigrations, broken, build, env, fail, live, log, newestMigration, openDatabase, pause, reason, started,
} from './common.js';
import { acceptWebsocket, closeWebsocket } from './websocket.js';

const LIMIT = 1 << 20;
const STOP_SECONDS = Number(env.STOP_SECONDS || 25);

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const state = { ready: false, stopping: false, open: 0 };
const streams = new Set(); // server-sent events and websockets: they never end by themselves
const signal = live();
const db = connect();

function connect() {
  try {
    return openDatabase();
  } catch (error) {
    return fail('web failed', error);
  }
}

function send(response, status, body, type = 'application/json') {
  if (state.stopping) response.setHeader('connection', 'close');
  response.writeHead(status, { 'content-type': type, 'x-app-version': identity().version });
  response.end(type === 'application/json' ? `${JSON.stringify(body)}\n` : body);
}

async function rawBody(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > LIMIT) throw new Refused(413, `the body is larger than ${LIMIT} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parseJson(raw) {
  try {
    return JSON.parse(raw) ?? {};
  } catch {
    throw new Refused(400, 'the body is not JSON');
  }
}

const digest = (text) => createHash('sha256').update(text).digest();
const same = (a, b) => timingSafeEqual(digest(a), digest(b)); // of one length, as the comparison wants it
const identity = () => ('wrong-version' in broken ? { ...app, version: '0.0.0', commit: 'wrong' } : app);
const escape = (text) => text.replace(/[&<>"]/g, (found) => `&#${found.charCodeAt(0)};`);

async function page(request, response) {
  const { name, version, commit } = identity();
  const title = `${escape(name)} ${escape(version)}`;
  send(response, 200, `<!doctype html>\n<html lang="en"><title>${title}</title>
<h1>${title}</h1><p>commit <code>${escape(commit)}</code></p></html>\n`, 'text/html; charset=utf-8');
}

async function health(request, response) {
  const { version, commit, time } = identity();
  const answer = { version, commit, time, build, database: false, migrated: false };
  try {
    const applied = await appliedMigrations(db);
    Object.assign(answer, { database: true, migrated: applied.includes(newestMigration) });
  } catch (error) {
    answer.error = reason(error);
  }
  const ok = state.ready && !state.stopping && answer.migrated && !('never-healthy' in broken);
  send(response, ok ? 200 : 503, { status: ok ? 'ok' : 'unavailable', ...answer });
}

async function addNote(request, response) {
  const { text } = parseJson(await rawBody(request));
  if (typeof text !== 'string' || !text) throw new Refused(400, 'text is missing');
  const { rows } = await db.query('INSERT INTO notes (text) VALUES ($1) RETURNING id::int, text, created_at', [text]);
  send(response, 201, rows[0]);
}

async function listNotes(request, response) {
  const { rows: [{ count }] } = await db.query('SELECT count(*)::int AS count FROM notes');
  const { rows } = await db.query('SELECT id::int, text, created_at FROM notes ORDER BY id DESC LIMIT 100');
  send(response, 200, { count, notes: rows });
}

async function listPlans(request, response) {
  const { rows } = await db.query('SELECT name, price_cents, currency FROM subscription_plan ORDER BY name');
  send(response, 200, { plans: rows });
}

async function countJobs(request, response) {
  const { rows } = await db.query('SELECT count(*)::int - count(done_at)::int AS waiting, count(done_at)::int AS done FROM jobs');
  send(response, 200, rows[0]);
}

async function slow(request, response, { url }) {
  const seconds = Math.min(Number(url.searchParams.get('seconds')) || 2, 600);
  await pause(1000 * seconds);
  send(response, 200, { seconds });
}

async function upload(request, response) {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of request) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  send(response, 200, { bytes, sha256: hash.digest('hex') });
}

async function events(request, response) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  let tick = 0;
  const write = () => response.write(`data: ${JSON.stringify({ tick: (tick += 1), version: identity().version })}\n\n`);
  write();
  const timer = setInterval(write, 1000);
  const end = () => response.end();
  streams.add(end);
  response.once('close', () => {
    clearInterval(timer);
    streams.delete(end);
  });
}

async function webhook(request, response, { name }) {
  const raw = await rawBody(request);
  const given = request.headers['x-signature'] ?? request.headers['btcpay-sig'] ?? '';
  const expected = `sha256=${createHmac('sha256', env.WEBHOOK_SECRET || '').update(raw).digest('hex')}`;
  if (!env.WEBHOOK_SECRET || !same(given, expected)) throw new Refused(401, 'the signature is wrong');
  const body = parseJson(raw);
  const id = body.id ?? body.originalDeliveryId ?? body.deliveryId;
  if (!id) throw new Refused(400, 'id is missing');
  const { rowCount } = await db.query(
    'INSERT INTO webhooks (source, id) VALUES ($1, $2) ON CONFLICT DO NOTHING', [name, String(id)],
  );
  send(response, 200, { received: true, stored: rowCount === 1 });
}

async function listWebhooks(request, response) {
  const { rows } = await db.query('SELECT source, id, received_at FROM webhooks ORDER BY received_at DESC LIMIT 100');
  send(response, 200, { webhooks: rows });
}

// "cleanup" deletes what is done, "fail" fails, everything else is a sync that leaves three jobs to the worker.
async function cron(request, response, { name, url }) {
  const given = request.headers.authorization ?? '';
  if (!env.CRON_SECRET || !same(given, `Bearer ${env.CRON_SECRET}`)) throw new Refused(401, 'the secret is wrong');
  if (name === 'fail') throw new Refused(500, 'the source did not answer');
  await pause(1000 * (Number(url.searchParams.get('seconds')) || 0));
  const { rowCount } = name === 'cleanup'
    ? await db.query('DELETE FROM jobs WHERE done_at IS NOT NULL')
    : await db.query('INSERT INTO jobs (kind) SELECT $1 FROM generate_series(1, 3)', [name]);
  send(response, 200, { records: rowCount, message: `${name}: ${rowCount} records` });
}

const routes = {
  'GET /': page,
  'GET /api/health': health,
  'GET /api/notes': listNotes,
  'POST /api/notes': addNote,
  'GET /api/plans': listPlans,
  'GET /api/jobs': countJobs,
  'GET /api/slow': slow,
  'GET /api/events': events,
  'POST /api/upload': upload,
  'GET /api/webhooks': listWebhooks,
  'POST /webhooks/:name': webhook,
  'POST /api/cron/:name': cron,
};

async function handle(request, response) {
  const url = new URL(request.url, 'http://localhost');
  const [, pattern, name] = url.pathname.match(/^(\/webhooks\/|\/api\/cron\/)([\w-]+)$/) ?? [];
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const route = routes[`${method} ${pattern ? `${pattern}:name` : url.pathname}`];
  try {
    if (!route) throw new Refused(404, 'not found');
    await pause(Number(broken.slow || 0));
    await route(request, response, { url, name });
  } catch (error) {
    const status = error.status ?? 503; // what is not refused on purpose is the database
    if (response.headersSent) response.destroy();
    else send(response, status, { error: reason(error) });
  }
}

// The path only: a query may carry secrets.
function accessLog(request) {
  const begun = performance.now();
  const client = request.headers['x-forwarded-for'] ?? request.socket.remoteAddress; // unknown once it hung up
  const { method, url } = request;
  return (status) => log('request', { method, path: url.split('?')[0], status, ms: Math.round(performance.now() - begun), client });
}

const server = createServer((request, response) => {
  const logAccess = accessLog(request);
  const endless = request.url.startsWith('/api/events');
  if (!endless) state.open += 1;
  response.once('close', () => {
    logAccess(response.statusCode);
    if (!endless) state.open -= 1;
  });
  handle(request, response);
});
// Longer than a proxy keeps idle connections (Caddy: 120 s), or a request meets a connection that is just being closed.
server.keepAliveTimeout = 125_000;
server.requestTimeout = 0;

server.on('upgrade', (request, socket, head) => {
  socket.on('error', () => socket.destroy());
  if (request.url.split('?')[0] !== '/ws' || !request.headers['sec-websocket-key']) {
    socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    return;
  }
  const logAccess = accessLog(request);
  const end = () => closeWebsocket(socket);
  streams.add(end);
  socket.once('close', () => {
    streams.delete(end);
    logAccess(101);
  });
  acceptWebsocket(request, socket, head);
});

// Accept nothing new, let open requests finish, then say goodbye to the streams.
async function stop() {
  state.stopping = true;
  setTimeout(() => fail('stopped hard', new Error(`${state.open} requests still open`)), 1000 * STOP_SECONDS).unref();
  log('web-stopping', { open: state.open, streams: streams.size });
  const closed = new Promise((resolve) => { server.close(resolve); });
  while (state.open) await pause(20);
  for (const end of streams) end();
  server.closeIdleConnections();
  await closed;
  await db.end();
  log('web-stopped');
  process.exit(0);
}

signal.addEventListener('abort', stop);
server.on('error', (error) => fail('web failed', error));
server.listen(Number(env.PORT || 3000), () => log('web-started', { app }));
await started(signal);
state.ready = true;
