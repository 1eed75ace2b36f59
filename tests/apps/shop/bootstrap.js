// Makes sure that the rows exist without which the application cannot work.
import { broken, fail, openDatabase } from './common.js';

try {
  if ('bootstrap' in broken) throw new Error('BROKEN=bootstrap');
  const db = openDatabase();
  const { rowCount } = await db.query(
    "INSERT INTO subscription_plan (name, price_cents, currency) VALUES ('default', 990, 'EUR') ON CONFLICT DO NOTHING",
  );
  console.log(rowCount ? 'created the subscription plan "default"' : 'the subscription plan "default" exists');
  await db.end();
} catch (error) {
  fail('bootstrap failed', error);
}
