-- A delivery writes as few pages as it can: who asks whether a record is there keeps a table in memory, so
-- no index of random ids is needed; meta says what the last record was only when there is none.
CREATE TABLE record_lean (
  seq         INTEGER PRIMARY KEY,
  operation   BLOB NOT NULL CHECK (length(operation) = 16),
  delivery_id BLOB CHECK (length(delivery_id) = 32),
  received    TEXT NOT NULL CHECK (length(received) = 24),
  header      BLOB NOT NULL CHECK (length(header) = 1156),
  bytes       INTEGER NOT NULL CHECK (bytes >= 0),
  chain       BLOB NOT NULL CHECK (length(chain) = 32)
) STRICT;
INSERT INTO record_lean SELECT seq, operation, delivery_id, received, header, bytes, chain FROM record;
DROP TABLE record;
ALTER TABLE record_lean RENAME TO record;
