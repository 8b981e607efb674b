-- What is not to be sent again before a time: automatic replies. A keyed hash of who answers whom.
CREATE TABLE once (
  id BLOB PRIMARY KEY CHECK (length(id) = 16),
  until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX once_until ON once (until);
