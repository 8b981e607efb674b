# RFC 9051 3, 5.5: a command outside its state is BAD, and nothing changes                                      state new
C: a SELECT INBOX        S: a BAD
C: b LIST "" *           S: b BAD
C: c APPEND INBOX {3+}\r\nabc   S: c BAD
C: d FETCH 1 FLAGS       S: d BAD
C: e IDLE                S: e BAD
C: f LOGIN $ADDRESS $PASSWORD   S: f OK
C: g FETCH 1 FLAGS       S: g BAD
C: h CLOSE               S: h BAD
C: i UNSELECT            S: i BAD
C: j EXPUNGE             S: j BAD
C: k UID SEARCH ALL      S: k BAD
C: l STORE 1 FLAGS ()    S: l BAD
C: m COPY 1 Trash        S: m BAD
C: n CHECK               S: n BAD
C: o NOOP                S: o OK
