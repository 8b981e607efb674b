# RFC 3501 5.1.3: names outside ASCII in modified UTF-7, and what is no such name is refused                               state auth
C: a CREATE "Gr&APwA3w-e"              S: a OK
C: b LIST "" Gr*                       S: * LIST (\HasNoChildren) "/" Gr&APwA3w-e | b OK
C: c CREATE "a&-b"                     S: c OK
C: d LIST "" a*                        S: * LIST (\HasNoChildren) "/" a&-b | d OK
C: e CREATE "a&b"                      S: e NO
C: f CREATE "&AGE-"                    S: f NO
C: g CREATE "&2D3-"                    S: g NO
C: h CREATE &ZeVnLIqe-                 S: h OK
C: i STATUS "&ZeVnLIqe-" (MESSAGES)    S: * STATUS &ZeVnLIqe- (MESSAGES 0) | i OK
C: j DELETE "Gr&APwA3w-e"              S: j OK
