-- Annotations (RFC 5464). Names of entries have no case; the spelling of who set one first stays.
CREATE TABLE metadata (
  folder_id INTEGER NOT NULL CHECK (folder_id >= 0),         -- 0: of the server, for this person
  entry     TEXT NOT NULL COLLATE NOCASE CHECK (length(entry) BETWEEN 2 AND 255),
  value     BLOB NOT NULL CHECK (length(value) <= 65536),
  PRIMARY KEY (folder_id, entry)
) STRICT, WITHOUT ROWID;
-- The mailbox's, counted in every transaction: exact.
ALTER TABLE meta ADD COLUMN metadata_entries INTEGER NOT NULL DEFAULT 0 CHECK (metadata_entries >= 0);
ALTER TABLE meta ADD COLUMN metadata_bytes INTEGER NOT NULL DEFAULT 0 CHECK (metadata_bytes >= 0);
