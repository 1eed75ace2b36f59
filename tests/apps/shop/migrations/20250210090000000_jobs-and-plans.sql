-- Up Migration
CREATE TABLE jobs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  done_at timestamptz
);
CREATE INDEX jobs_waiting ON jobs (id) WHERE done_at IS NULL;
CREATE TABLE subscription_plan (
  name text PRIMARY KEY,
  price_cents integer NOT NULL,
  currency text NOT NULL
);

-- Down Migration
DROP TABLE subscription_plan;
DROP TABLE jobs;
