# RFC 9051 2.3.1.1: a folder that is deleted and made again has a higher UIDVALIDITY                                    state auth
C: a CREATE again                      S: a OK
C: b STATUS again (UIDVALIDITY UIDNEXT)   S: * STATUS again (UIDNEXT 1 UIDVALIDITY $old) | b OK
C: c APPEND again {22+}\r\nSubject: one\r\n\r\nbody\r\n   S: c OK [APPENDUID $old 1]
C: d DELETE again                      S: d OK
C: e CREATE again                      S: e OK
C: f APPEND again {22+}\r\nSubject: two\r\n\r\nbody\r\n   S: f OK [APPENDUID $new 1]
C: g STATUS again (UIDVALIDITY MESSAGES)   S: * STATUS again (MESSAGES 1 UIDVALIDITY $new) | g OK
C: h RENAME again other                S: h OK
C: i CREATE again                      S: i OK
C: j APPEND again {22+}\r\nSubject: two\r\n\r\nbody\r\n   S: j OK [APPENDUID $third 1]
