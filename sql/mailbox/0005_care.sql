-- When the mailbox was looked after: at most one row.
CREATE TABLE care (
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  checked  TEXT CHECK (length(checked) = 24),              -- when the last whole check ended
  findings INTEGER NOT NULL CHECK (findings >= 0),         -- of that check
  step     INTEGER NOT NULL CHECK (step >= 0),             -- of the check under way, 0: none is
  position INTEGER NOT NULL,
  found    INTEGER NOT NULL CHECK (found >= 0)
) STRICT;
