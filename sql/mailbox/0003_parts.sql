-- Large parts stand once in a mailbox, whatever names them. Emails that came before have no map: theirs
-- is in email_head and email_body as ever; new ones write to the tables below.
-- codec, here as everywhere from now on: 0 as it is, 1 zstd, 2 zstd with data/dictionary/mail-1. A
-- program that does not know one says so, no CHECK has to be changed.

-- Leaf parts of messages, base64 undone where that can be done again.
CREATE TABLE part (
  id    INTEGER PRIMARY KEY,
  hash  BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),    -- BLAKE2b-256 of its bytes
  refs  INTEGER NOT NULL CHECK (refs >= 1),                -- segments in email.map that name it: exact
  bytes INTEGER NOT NULL CHECK (bytes >= 1)
) STRICT;

-- id = part * 65536 + number of the row; every row but the last holds 256 KiB of input.
CREATE TABLE part_row (
  id    INTEGER PRIMARY KEY,
  codec INTEGER NOT NULL CHECK (codec >= 0),
  bytes INTEGER NOT NULL CHECK (bytes BETWEEN 1 AND 262144),
  data  BLOB NOT NULL
) STRICT;

-- Raw runs and parts behind the header block (doc/formats.md); empty: all of it is raw. NULL: of before.
ALTER TABLE email ADD COLUMN map BLOB;

-- Structure (proto/structure.proto), then the first email.head_bytes of the message, as one.
CREATE TABLE email_top (
  email_id        INTEGER PRIMARY KEY REFERENCES email (id) ON DELETE CASCADE,
  codec           INTEGER NOT NULL CHECK (codec >= 0),
  structure_bytes INTEGER NOT NULL CHECK (structure_bytes >= 0),
  bytes           INTEGER NOT NULL CHECK (bytes >= structure_bytes),
  data            BLOB NOT NULL,
  preview         TEXT CHECK (length(preview) <= 256)       -- as in email_head
) STRICT;

-- The raw runs behind the header block, one behind the other. id as in email_body.
CREATE TABLE email_raw (
  id    INTEGER PRIMARY KEY,
  codec INTEGER NOT NULL CHECK (codec >= 0),
  bytes INTEGER NOT NULL CHECK (bytes BETWEEN 1 AND 262144),
  data  BLOB NOT NULL
) STRICT;
