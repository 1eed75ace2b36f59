-- Up Migration
CREATE TABLE webhooks (
  source text NOT NULL,
  id text NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (source, id)
);

-- Down Migration
DROP TABLE webhooks;
