-- Two indexes less in every message's commit. New messages have the highest UIDs and the highest modseqs alike, so
-- those since a modseq stand at a folder's end; only what changed after it came needs an index.
DROP INDEX message_modseq;
CREATE INDEX message_changed ON message (folder_id, modseq) WHERE modseq > added;
-- What no email is of any more goes a slice at a time (src/store/mailbox.c, prune).
DROP INDEX thread_ref_thread;
