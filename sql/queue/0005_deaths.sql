-- How many times in a row whoever was delivering it ended over it. What brings down the relay again and again is set aside.
ALTER TABLE target ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0 CHECK (deaths >= 0);
