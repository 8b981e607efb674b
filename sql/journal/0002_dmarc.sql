-- What DMARC said of messages, counted for the reports that domains ask for (RFC 9990), until they are sent. A row is so many
-- messages alike of one period; `key` is a hash of all that must be equal.

CREATE TABLE dmarc (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  key BLOB NOT NULL UNIQUE CHECK (length(key) = 16),
  begins INTEGER NOT NULL CHECK (begins >= 0),
  seconds INTEGER NOT NULL CHECK (seconds > 0),
  domain TEXT NOT NULL CHECK (length(domain) BETWEEN 1 AND 253),
  record TEXT NOT NULL,
  ip TEXT NOT NULL,
  header_from TEXT NOT NULL,
  envelope_from TEXT NOT NULL,
  disposition INTEGER NOT NULL CHECK (disposition BETWEEN 0 AND 3),
  dkim INTEGER NOT NULL CHECK (dkim IN (0, 1)),
  spf INTEGER NOT NULL CHECK (spf IN (0, 1)),
  reason TEXT NOT NULL,
  spf_domain TEXT NOT NULL,
  spf_scope TEXT NOT NULL,
  spf_result TEXT NOT NULL,
  signatures TEXT NOT NULL,
  count INTEGER NOT NULL CHECK (count > 0)
) STRICT;
CREATE INDEX dmarc_domain ON dmarc (domain, begins, seconds);
