# RFC 9051 7.5.2: ENVELOPE; Sender and Reply-To default to From; groups; names with quotes                                               mail plain odd bare
C: a FETCH 1 ENVELOPE
S: * 1 FETCH (ENVELOPE ("Mon, 2 Nov 2026 10:11:12 +0100" "Notes on the engine" (("Ada Lovelace" NIL "ada" "example.net")) (("Ada Lovelace" NIL "ada" "example.net")) (("Ada Lovelace" NIL "ada" "example.net")) (("Charles Babbage" NIL "charles" "example.test")(NIL NIL "mary" "example.test")) (("Quoted \"Q\" Name" NIL "q" "example.test")) NIL "<letter-0@example.test>" "<notes-1@example.net>")) | a OK
C: b FETCH 2 (ENVELOPE)
S: * 2 FETCH (ENVELOPE (NIL "odd" ((NIL NIL "ada" "example.net")) ((NIL NIL "ada" "example.net")) ((NIL NIL "ada" "example.net")) ((NIL NIL "Friends" NIL)(NIL NIL "a" "example.net")("B, b" NIL "b" "example.net")(NIL NIL NIL NIL)(NIL NIL "c" "example.net")(NIL NIL "undisclosed" NIL)(NIL NIL NIL NIL)) NIL NIL NIL NIL)) | b OK
C: c FETCH 3 ENVELOPE
S: * 3 FETCH (ENVELOPE (NIL "only a header" ((NIL NIL "ada" "example.net")) ((NIL NIL "ada" "example.net")) ((NIL NIL "ada" "example.net")) NIL NIL NIL NIL NIL)) | c OK
