-- Mail for a closed mailbox, each message sealed to its public key. The pages are encrypted under a
-- server subkey, which hides sizes and times and opens no message.

CREATE TABLE meta (
  one        INTEGER PRIMARY KEY CHECK (one = 1),
  mailbox_id BLOB NOT NULL CHECK (length(mailbox_id) = 12),
  generation INTEGER NOT NULL,                             -- as in the file's name
  chain      BLOB NOT NULL CHECK (length(chain) = 32),     -- MAC over everything that was ever added
  last_seq   INTEGER NOT NULL CHECK (last_seq >= 0)
) STRICT;

CREATE TABLE record (
  seq         INTEGER PRIMARY KEY,                          -- order of arrival
  operation   BLOB NOT NULL UNIQUE CHECK (length(operation) = 16),
  delivery_id BLOB UNIQUE CHECK (length(delivery_id) = 32), -- NULL: the message has no Message-ID
  received    TEXT NOT NULL CHECK (length(received) = 24),
  header      BLOB NOT NULL CHECK (length(header) = 1156),  -- lib/crypto/sealed.h
  bytes       INTEGER NOT NULL CHECK (bytes >= 0),          -- of the message; 8 less than what was sealed
  chain       BLOB NOT NULL CHECK (length(chain) = 32)      -- after this record
) STRICT;

-- id = seq * 65536 + number of the row; every row but the last holds four full sealed chunks.
CREATE TABLE record_data (
  id   INTEGER PRIMARY KEY,
  data BLOB NOT NULL
) STRICT;
