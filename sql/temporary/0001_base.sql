-- Mail for a closed mailbox, each message sealed to its public key. The pages are encrypted under a
-- server subkey, which hides sizes and times and opens no message.

CREATE TABLE meta (
  one        INTEGER PRIMARY KEY CHECK (one = 1),
  mailbox_id BLOB NOT NULL CHECK (length(mailbox_id) = 12),
  chain      BLOB NOT NULL CHECK (length(chain) = 32),     -- MAC over everything that was ever added
  last_seq   INTEGER NOT NULL CHECK (last_seq >= 0)
) STRICT;

CREATE TABLE record (
  seq         INTEGER PRIMARY KEY,                          -- order of arrival
  operation   BLOB UNIQUE CHECK (length(operation) = 16),
  delivery_id BLOB UNIQUE CHECK (length(delivery_id) = 32), -- NULL: the message has no Message-ID
  received    TEXT NOT NULL CHECK (length(received) = 24),
  bytes       INTEGER NOT NULL CHECK (bytes >= 0),          -- sealed
  rows        INTEGER NOT NULL CHECK (rows >= 0),
  chain       BLOB NOT NULL CHECK (length(chain) = 32)      -- after this record
) STRICT;

-- id = seq * 65536 + number of the row; every row but the last holds 256 KiB.
CREATE TABLE record_data (
  id   INTEGER PRIMARY KEY,
  data BLOB NOT NULL
) STRICT;
