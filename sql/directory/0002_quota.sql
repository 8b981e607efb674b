-- Limits and who holds how much of them. An account pools what its domains and aliases may use; the first
-- one, "default", is that of everything that was given to no other. Bytes are leased to the files of
-- mailboxes and counted there: a lease says "may hold so much", never less than what is used. The sums of
-- account, domain and alias are kept by triggers, so that no question walks rows.

CREATE TABLE account (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
  limit_bytes INTEGER CHECK (limit_bytes >= 0),           -- NULL: no limit
  leased INTEGER NOT NULL DEFAULT 0,
  used INTEGER NOT NULL DEFAULT 0,
  messages INTEGER NOT NULL DEFAULT 0,
  created TEXT NOT NULL CHECK (created GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]Z')
) STRICT;
INSERT INTO account (id, name, created) VALUES (1, 'default', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));

ALTER TABLE domain ADD COLUMN account_id INTEGER REFERENCES account (id); -- NULL: the default one
ALTER TABLE domain ADD COLUMN limit_bytes INTEGER CHECK (limit_bytes >= 0);
ALTER TABLE domain ADD COLUMN leased INTEGER NOT NULL DEFAULT 0;
ALTER TABLE domain ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alias ADD COLUMN account_id INTEGER REFERENCES account (id);  -- NULL: its domain's
ALTER TABLE alias ADD COLUMN limit_bytes INTEGER CHECK (limit_bytes >= 0);
ALTER TABLE alias ADD COLUMN leased INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alias ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
CREATE INDEX domain_account ON domain (account_id);
CREATE INDEX alias_account ON alias (account_id);

-- generation 0: the mailbox; else its temporary mailbox of that generation.
CREATE TABLE lease (
  mailbox_id BLOB NOT NULL CHECK (length(mailbox_id) = 12),
  generation INTEGER NOT NULL CHECK (generation >= 0),
  alias_id INTEGER NOT NULL REFERENCES alias (id) ON DELETE CASCADE,
  domain_id INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  leased INTEGER NOT NULL CHECK (leased >= used),
  used INTEGER NOT NULL CHECK (used >= 0),                 -- as last reported
  messages INTEGER NOT NULL CHECK (messages >= 0),
  PRIMARY KEY (mailbox_id, generation)
) STRICT, WITHOUT ROWID;
CREATE INDEX lease_alias ON lease (alias_id);
CREATE INDEX lease_account_room ON lease (account_id, leased - used);

CREATE TRIGGER lease_added AFTER INSERT ON lease BEGIN
  UPDATE account SET leased = leased + NEW.leased, used = used + NEW.used, messages = messages + NEW.messages
    WHERE id = NEW.account_id;
  UPDATE domain SET leased = leased + NEW.leased, used = used + NEW.used WHERE id = NEW.domain_id;
  UPDATE alias SET leased = leased + NEW.leased, used = used + NEW.used WHERE id = NEW.alias_id;
END;
CREATE TRIGGER lease_gone AFTER DELETE ON lease BEGIN
  UPDATE account SET leased = leased - OLD.leased, used = used - OLD.used, messages = messages - OLD.messages
    WHERE id = OLD.account_id;
  UPDATE domain SET leased = leased - OLD.leased, used = used - OLD.used WHERE id = OLD.domain_id;
  UPDATE alias SET leased = leased - OLD.leased, used = used - OLD.used WHERE id = OLD.alias_id;
END;
CREATE TRIGGER lease_changed AFTER UPDATE OF leased, used, messages, account_id ON lease BEGIN
  UPDATE account SET leased = leased - OLD.leased, used = used - OLD.used, messages = messages - OLD.messages
    WHERE id = OLD.account_id;
  UPDATE account SET leased = leased + NEW.leased, used = used + NEW.used, messages = messages + NEW.messages
    WHERE id = NEW.account_id;
  UPDATE domain SET leased = leased + NEW.leased - OLD.leased, used = used + NEW.used - OLD.used
    WHERE id = NEW.domain_id;
  UPDATE alias SET leased = leased + NEW.leased - OLD.leased, used = used + NEW.used - OLD.used
    WHERE id = NEW.alias_id;
END;

-- Another mailbox takes an alias over: what the former one held is free.
CREATE TRIGGER alias_mailbox_changed AFTER UPDATE OF mailbox_id ON alias BEGIN
  DELETE FROM lease WHERE alias_id = NEW.id AND mailbox_id IS NOT NEW.mailbox_id;
END;
-- Leases follow their alias and domain into another account.
CREATE TRIGGER alias_account_changed AFTER UPDATE OF account_id ON alias BEGIN
  UPDATE lease SET account_id = coalesce(NEW.account_id, (SELECT account_id FROM domain WHERE id = NEW.domain_id), 1)
    WHERE alias_id = NEW.id;
END;
CREATE TRIGGER domain_account_changed AFTER UPDATE OF account_id ON domain BEGIN
  UPDATE lease SET account_id = coalesce(NEW.account_id, 1)
    WHERE alias_id IN (SELECT id FROM alias WHERE domain_id = NEW.id AND account_id IS NULL);
END;
