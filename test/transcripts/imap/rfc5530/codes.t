# RFC 5530 3: each refusal with the code that says what to do (what the store answers: src/imap/imap_test.c)                            messages 2
C: a CREATE Drafts                     S: a NO [ALREADYEXISTS]
C: b DELETE nothing                    S: b NO [NONEXISTENT]
C: c RENAME nothing something          S: c NO [NONEXISTENT]
C: d RENAME Drafts Sent                S: d NO [ALREADYEXISTS]
C: e DELETE INBOX                      S: e NO [CANNOT]
C: f CREATE "a//b"                     S: f NO [CANNOT]
C: g STATUS nothing (MESSAGES)         S: g NO [NONEXISTENT]
C: h COPY 1 nothing                    S: h NO [TRYCREATE]
C: i APPEND nothing {1+}\r\nx          S: i NO [TRYCREATE]
C: j SETMETADATA "" (/shared/comment "x")   S: j NO [NOPERM]
C: k LANGUAGE tlh                      S: k NO [CANNOT]
C: l UID FETCH 1\{,1*5000} UID         S: l NO [LIMIT]
C: m APPEND INBOX {999999999}          S: m NO [TOOBIG]
C: n AUTHENTICATE PLAIN                S: n BAD [CLIENTBUG]
C: o UID FETCH 1 FLAGS (CHANGEDSINCE 0)   S: o BAD [CLIENTBUG]
C: p NOOP\n\c                          S: p BAD [CLIENTBUG]
C: q SEARCH CHARSET x-none ALL         S: q NO [BADCHARSET
C: r SEARCH X-REGEX TEXT "("           S: r NO [CANNOT]
C: s UNSELECT                          S: s OK
C: t UNSELECT                          S: t BAD [CLIENTBUG]
C: u SELECT nothing                    S: u NO [NONEXISTENT]
C: v EXAMINE INBOX                     S: … | v OK
C: w STORE 1 +FLAGS (\Seen)            S: w NO [READ-ONLY]
