-- What who writes to an alias is answered while its owner is away. Times in milliseconds since the epoch; 0: open.
CREATE TABLE vacation (
  alias_id INTEGER PRIMARY KEY REFERENCES alias (id) ON DELETE CASCADE,
  subject TEXT NOT NULL CHECK (length(CAST(subject AS BLOB)) <= 500),   -- empty: "Auto:" and that of the message
  body TEXT NOT NULL CHECK (length(CAST(body AS BLOB)) BETWEEN 1 AND 8192),
  begins INTEGER NOT NULL,
  ends INTEGER NOT NULL,
  made INTEGER NOT NULL                                                 -- who was answered before may be again
) STRICT;
