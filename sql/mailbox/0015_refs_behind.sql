-- Ids are as good as random, so each new one was another page of thread_ref in a message's commit. They stand with
-- their email until there are many, and then come into the table together, in its order (src/store/refs.c).
ALTER TABLE email ADD COLUMN noted BLOB;                                      -- those it brought, 16 bytes each
ALTER TABLE meta ADD COLUMN noted_upto INTEGER NOT NULL DEFAULT 0 CHECK (noted_upto >= 0); -- up to this email they are in thread_ref
UPDATE meta SET noted_upto = (SELECT coalesce(max(id), 0) FROM email);

-- What a folder's row says of itself is not said again of all of them: two pages fewer are written and synced. The
-- mailbox's sums are those of its folders; its commits are meta.changes and the modseqs of its folders, and meta is
-- written only by commits that raise none.
DROP TRIGGER quota_folder_added;
DROP TRIGGER quota_folder_gone;
DROP TRIGGER quota_folder_changed;
ALTER TABLE meta DROP COLUMN quota_used;
ALTER TABLE meta DROP COLUMN quota_messages;
ALTER TABLE meta DROP COLUMN quota_folders;
CREATE TRIGGER folder_gone AFTER DELETE ON folder BEGIN
  UPDATE meta SET changes = changes + OLD.modseq;
END;

-- As in email_top, where mail of before has it; NULL: look there. A b-tree less again.
ALTER TABLE email ADD COLUMN codec INTEGER;
ALTER TABLE email ADD COLUMN structure_bytes INTEGER;
ALTER TABLE email ADD COLUMN top_bytes INTEGER;
ALTER TABLE email ADD COLUMN preview TEXT;
ALTER TABLE email ADD COLUMN top BLOB;                                        -- the last: what is in front is read without it

-- Messages come into two indexes a hundred or more at a time. Those that do not stand there yet are the last of their
-- folder, from `placed` on (src/store/message.c, messages_place).
ALTER TABLE message ADD COLUMN behind INTEGER NOT NULL DEFAULT 0;
ALTER TABLE folder ADD COLUMN placed INTEGER NOT NULL DEFAULT 1;
UPDATE folder SET placed = uidnext;
DROP INDEX message_internal;
DROP INDEX message_unseen;
CREATE INDEX message_internal ON message (folder_id, internal) WHERE behind = 0;
CREATE INDEX message_unseen ON message (folder_id, uid) WHERE flags & 8 = 0 AND behind = 0;
