-- What SORT and THREAD need without a look at headers, and what SELECT needs without a look at messages.

-- Texts are keys whose bytes compare as i;unicode-casemap orders (lib/mime/collate.h), at most 1000 bytes.
CREATE TABLE email_sort (
  email_id     INTEGER PRIMARY KEY REFERENCES email (id) ON DELETE CASCADE,
  subject      TEXT NOT NULL,                                -- base subject (RFC 5256 2.1)
  reply        INTEGER NOT NULL CHECK (reply IN (0, 1)),     -- it was a reply or a forward
  from_box     TEXT NOT NULL,                                -- mailbox of the first address
  to_box       TEXT NOT NULL,
  cc_box       TEXT NOT NULL,
  from_display TEXT NOT NULL,                                -- RFC 5957
  to_display   TEXT NOT NULL,
  refs         BLOB NOT NULL CHECK (length(refs) % 16 = 0)   -- hashed: the Message-ID (16 zeros: none), then what it refers to, oldest first
) STRICT;

-- UIDs that are not there any more: a folder has all from 1 to uidnext - 1 but these. Ranges never touch.
CREATE TABLE gap (
  folder_id INTEGER NOT NULL REFERENCES folder (id) ON DELETE CASCADE,
  first_uid INTEGER NOT NULL CHECK (first_uid >= 1),
  last_uid  INTEGER NOT NULL CHECK (last_uid BETWEEN first_uid AND 4294967295),
  PRIMARY KEY (folder_id, first_uid)
) STRICT, WITHOUT ROWID;
INSERT INTO gap
  SELECT folder_id, before + 1, uid - 1
  FROM (SELECT folder_id, uid, coalesce((SELECT max(p.uid) FROM message p
                                         WHERE p.folder_id = m.folder_id AND p.uid < m.uid), 0) AS before
        FROM message m)
  WHERE uid > before + 1;
INSERT INTO gap
  SELECT id, last + 1, uidnext - 1
  FROM (SELECT id, uidnext, coalesce((SELECT max(uid) FROM message WHERE folder_id = folder.id), 0) AS last
        FROM folder)
  WHERE uidnext > last + 1;

-- Counted in every transaction, like messages and bytes.
ALTER TABLE folder ADD COLUMN unseen INTEGER NOT NULL DEFAULT 0 CHECK (unseen >= 0);
ALTER TABLE folder ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0 CHECK (deleted >= 0);
UPDATE folder SET
  unseen = (SELECT count(*) FROM message WHERE folder_id = folder.id AND flags & 8 = 0),
  deleted = (SELECT count(*) FROM message WHERE folder_id = folder.id AND flags & 4 <> 0);
