-- From which score on a message is called spam, goes to Junk, is refused: of a domain or of one alias, in hundredths
-- of a point. NULL: as the domain has it, or the server.
CREATE TABLE spam_points (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  domain_id INTEGER REFERENCES domain (id) ON DELETE CASCADE,
  alias_id INTEGER REFERENCES alias (id) ON DELETE CASCADE,
  header INTEGER CHECK (header BETWEEN 1 AND 1000000),
  junk INTEGER CHECK (junk BETWEEN 1 AND 1000000),
  reject INTEGER CHECK (reject BETWEEN 1 AND 1000000),
  CHECK ((domain_id IS NULL) <> (alias_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX spam_points_domain ON spam_points (domain_id) WHERE domain_id IS NOT NULL;
CREATE UNIQUE INDEX spam_points_alias ON spam_points (alias_id) WHERE alias_id IS NOT NULL;
