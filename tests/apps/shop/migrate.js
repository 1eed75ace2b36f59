// Brings the schema to this image's newest migration. One run at a time: the tool takes an advisory lock.
import { setTimeout as sleep } from 'node:timers/promises';
import { runner } from 'node-pg-migrate';
import { broken, databaseUrl, fail, migrationsDir } from './common.js';

try {
  if ('migration' in broken) throw new Error('column "price" of relation "subscription_plan" contains null values');
  if ('migration-hang' in broken) {
    console.log('waiting for a lock that nobody releases');
    await sleep(2 ** 31 - 1);
  }
  const applied = await runner({
    databaseUrl: databaseUrl(), dir: migrationsDir, direction: 'up', migrationsTable: 'pgmigrations', verbose: false,
  });
  console.log(applied.length ? `applied: ${applied.map(({ name }) => name).join(', ')}` : 'nothing to apply');
} catch (error) {
  fail('migration failed', error);
}
