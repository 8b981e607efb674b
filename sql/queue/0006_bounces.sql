-- What people here sent, for a while: so that a report which comes later finds its message. A recipient is 8 bytes of a keyed hash.
CREATE TABLE sent (
  id INTEGER PRIMARY KEY,                               -- of the message, which is gone when it is done
  tag BLOB NOT NULL CHECK (length(tag) = 8),
  day INTEGER NOT NULL,                                 -- since the epoch
  sender BLOB NOT NULL,
  submitter BLOB NOT NULL,
  message_id BLOB NOT NULL,
  recipients BLOB NOT NULL CHECK (length(recipients) % 8 = 0)
) STRICT;
-- Where a domain wants to hear of what could not be delivered.
CREATE TABLE bounce_webhook (
  id INTEGER PRIMARY KEY,
  domain TEXT NOT NULL UNIQUE CHECK (domain = lower(domain)),
  url TEXT NOT NULL,
  created INTEGER NOT NULL
) STRICT;
