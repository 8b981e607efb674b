-- Recipients that mail of one of our domains is not sent to any more: they refused for good, or somebody said so.
CREATE TABLE suppressed (
  domain TEXT NOT NULL CHECK (domain = lower(domain)),  -- ours, whose mail it was
  address TEXT NOT NULL,                                -- as compared: ASCII letters small, the domain as A-labels
  created INTEGER NOT NULL,
  until INTEGER NOT NULL,                               -- 0: until it is removed
  why BLOB NOT NULL,
  PRIMARY KEY (domain, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX suppressed_until ON suppressed (until) WHERE until > 0;
