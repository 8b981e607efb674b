-- What counts against limits: every message in every folder with all its bytes, as its client sees them. The
-- sums stand in meta, whose row each commit writes anyway, and are kept by triggers: whatever changes a
-- folder's counts changes them in the same transaction.
ALTER TABLE meta ADD COLUMN quota_used INTEGER NOT NULL DEFAULT 0;
ALTER TABLE meta ADD COLUMN quota_messages INTEGER NOT NULL DEFAULT 0;
ALTER TABLE meta ADD COLUMN quota_folders INTEGER NOT NULL DEFAULT 0;
ALTER TABLE meta ADD COLUMN quota_leased INTEGER NOT NULL DEFAULT 0;   -- may hold so many bytes, by the directory's word
ALTER TABLE meta ADD COLUMN quota_limited INTEGER NOT NULL DEFAULT 0;  -- 0: nobody limits it, quota_leased says nothing
ALTER TABLE meta ADD COLUMN quota_step INTEGER NOT NULL DEFAULT 0;     -- per cent of a limit that was last warned of
UPDATE meta SET quota_used = (SELECT coalesce(sum(bytes), 0) FROM folder),
  quota_messages = (SELECT coalesce(sum(messages), 0) FROM folder), quota_folders = (SELECT count(*) FROM folder);

CREATE TRIGGER quota_folder_added AFTER INSERT ON folder BEGIN
  UPDATE meta SET quota_used = quota_used + NEW.bytes, quota_messages = quota_messages + NEW.messages,
    quota_folders = quota_folders + 1;
END;
CREATE TRIGGER quota_folder_gone AFTER DELETE ON folder BEGIN
  UPDATE meta SET quota_used = quota_used - OLD.bytes, quota_messages = quota_messages - OLD.messages,
    quota_folders = quota_folders - 1;
END;
CREATE TRIGGER quota_folder_changed AFTER UPDATE OF bytes, messages ON folder
  WHEN NEW.bytes <> OLD.bytes OR NEW.messages <> OLD.messages BEGIN
  UPDATE meta SET quota_used = quota_used + NEW.bytes - OLD.bytes,
    quota_messages = quota_messages + NEW.messages - OLD.messages;
END;
