// Prints the name of the newest applied migration, or "none".
import { appliedMigrations, fail, openDatabase } from './common.js';

try {
  const db = openDatabase();
  console.log((await appliedMigrations(db)).at(-1) ?? 'none');
  await db.end();
} catch (error) {
  fail('cannot read the schema version', error);
}
