-- "TLS-Required: No" (RFC 8689): what the other side asks of TLS does not hold this message up.
ALTER TABLE message ADD COLUMN tls_optional INTEGER NOT NULL DEFAULT 0 CHECK (tls_optional IN (0, 1));

-- Policies of MTA-STS (RFC 8461) as they were fetched. used: the day mail last went there.
CREATE TABLE sts (
  domain TEXT PRIMARY KEY CHECK (domain = lower(domain)),
  id BLOB NOT NULL CHECK (length(id) BETWEEN 1 AND 32),
  text BLOB NOT NULL CHECK (length(text) <= 65536),
  fetched INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  used INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sts_fetched ON sts (fetched);
CREATE INDEX sts_expires ON sts (expires);

-- TLS sessions of a day by how they went, for reports (RFC 8460). result empty: well, and then so is what follows.
CREATE TABLE tls_session (
  day INTEGER NOT NULL,
  domain TEXT NOT NULL CHECK (domain = lower(domain)),
  policy INTEGER NOT NULL CHECK (policy BETWEEN 0 AND 2), -- relay.TlsNote.Policy
  result TEXT NOT NULL,
  mx TEXT NOT NULL,
  ip TEXT NOT NULL,
  from_ip TEXT NOT NULL,
  reason TEXT NOT NULL,
  policy_text BLOB NOT NULL,                              -- the last one seen
  sessions INTEGER NOT NULL CHECK (sessions > 0),
  PRIMARY KEY (day, domain, policy, result, mx, ip, from_ip, reason)
) STRICT, WITHOUT ROWID;
