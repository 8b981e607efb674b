# RFC 5464 3.2: what is no name of an entry is a BAD      state auth
C: a SETMETADATA INBOX (/comment "x")           S: a BAD
C: b SETMETADATA INBOX (/shared/a//b "x")       S: b BAD
C: c SETMETADATA INBOX (/shared/a/ "x")         S: c BAD
C: d SETMETADATA INBOX ("/shared/a*" "x")       S: d BAD
C: e SETMETADATA INBOX ("/shared/a%" "x")       S: e BAD
C: f SETMETADATA INBOX (/shared/vendor/x "x")   S: f BAD
C: g GETMETADATA INBOX /elsewhere/a             S: g BAD
C: h GETMETADATA INBOX (DEPTH 3) /shared/a      S: h BAD
C: i SETMETADATA INBOX (/shared/a)              S: i BAD
C: j SETMETADATA INBOX (shared/a "x")           S: j BAD
