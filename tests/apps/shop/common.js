// What all commands share: who we are, the database, the log, the heartbeat, and how to be broken on purpose.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const here = new URL('.', import.meta.url);
const readJson = (name) => JSON.parse(readFileSync(new URL(name, here), 'utf8'));

export const env = process.env;
export const build = existsSync(new URL('build.json', here)) ? readJson('build.json') : {};
export const app = {
  name: env.APP_NAME || 'shop',
  version: env.APP_VERSION || build.version || readJson('package.json').version,
  commit: env.DEPLOY_COMMIT || '',
  time: env.DEPLOY_TIME || '',
};

// BROKEN="slow=500,leak" -> { slow: '500', leak: '' }
export const broken = Object.fromEntries(
  (env.BROKEN || build.broken || '').split(',').filter(Boolean).map((item) => {
    const [name, value = ''] = item.trim().split('=');
    return [name, value];
  }),
);

export const migrationsDir = new URL('migrations', here).pathname;
export const newestMigration = readdirSync(migrationsDir).sort().at(-1).replace(/\.[^.]+$/, '');

export function log(event, fields = {}) {
  console.log(JSON.stringify({ time: new Date().toISOString(), event, ...fields }));
}

// Node reports a refused connection to a name with several addresses as an AggregateError without a message.
export const reason = (error) => error.message || error.code || String(error);

export function fail(what, error) {
  console.error(`${what}: ${reason(error)}`);
  process.exit(1);
}

export function databaseUrl() {
  if (!env.DATABASE_URL) throw new Error('DATABASE_URL is not set, e.g. postgres://shop:password@postgres/shop');
  return env.DATABASE_URL;
}

export function openDatabase() {
  const pool = new pg.Pool({
    connectionString: databaseUrl(), max: 10, connectionTimeoutMillis: 3000, query_timeout: 5000,
  });
  pool.on('error', (error) => log('database-lost', { error: reason(error) })); // an idle connection: the pool opens another
  return pool;
}

export async function appliedMigrations(db) {
  const { rows: [{ table }] } = await db.query("SELECT to_regclass('pgmigrations') AS table");
  if (!table) return [];
  return (await db.query('SELECT name FROM pgmigrations ORDER BY id')).rows.map((row) => row.name);
}

export function beat() {
  writeFileSync(env.HEARTBEAT_FILE || '/tmp/heartbeat', `${new Date().toISOString()}\n`);
}

// For the commands that stay: the planned accidents, the slow start, and one signal that asks them to stop.
export function live() {
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT']) process.once(name, () => stop.abort());
  if ('crash-after' in broken) {
    setTimeout(() => fail('crashed', new Error('BROKEN=crash-after')), 1000 * broken['crash-after']).unref();
  }
  if ('leak' in broken) {
    const leaked = [];
    setInterval(() => leaked.push(Buffer.alloc(1 << 20, 1)), 100).unref(); // 10 MiB/s, written to, so really held
  }
  return stop.signal;
}

export async function pause(milliseconds, signal) {
  await sleep(milliseconds, undefined, { signal }).catch(() => {});
}

export const started = (signal) => pause(1000 * (env.START_SECONDS || 0), signal);
