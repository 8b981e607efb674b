-- Senders of forwards whose rewritten address has only a token of them: too long, or no plain ASCII. day: when one was last
-- sent, since the epoch.
CREATE TABLE srs (
  token BLOB PRIMARY KEY CHECK (length(token) = 10),
  day INTEGER NOT NULL,
  sender BLOB NOT NULL CHECK (length(sender) > 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX srs_day ON srs (day);
