// Works on the jobs table, once a second. A heartbeat says that the last loop really came through.
import { app, beat, broken, fail, live, log, openDatabase, pause, reason, started } from './common.js';

const TAKE = `UPDATE jobs SET done_at = now() WHERE id IN
  (SELECT id FROM jobs WHERE done_at IS NULL ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED)`;

async function work(db, signal) {
  while (!signal.aborted) {
    try {
      if ('worker-never-healthy' in broken) throw new Error('BROKEN=worker-never-healthy');
      const { rowCount } = await db.query(TAKE);
      if (rowCount) log('jobs-done', { count: rowCount });
      beat();
    } catch (error) {
      log('loop-failed', { error: reason(error) });
    }
    await pause(1000, signal);
  }
}

try {
  const signal = live();
  const db = openDatabase();
  log('worker-started', { app });
  await started(signal);
  await work(db, signal);
  await db.end();
  log('worker-stopped');
  process.exit(0);
} catch (error) {
  fail('worker failed', error);
}
