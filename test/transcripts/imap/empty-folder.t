# RFC 9051 6.4.9: in an empty folder sets name nothing, and nothing breaks
C: a UID FETCH 1:* (FLAGS)             S: a OK
C: b SEARCH ALL                        S: * SEARCH | b OK
C: c UID SEARCH 1:*                    S: * SEARCH | c OK
C: d EXPUNGE                           S: d OK
C: e UID STORE 1:* +FLAGS (\Seen)      S: e OK
C: f UID COPY 1:* Trash                S: f OK
C: g NOOP                              S: g OK
C: h CLOSE                             S: h OK
