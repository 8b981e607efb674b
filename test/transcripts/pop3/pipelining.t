# RFC 2449 6.6: commands sent together                     messages 2, whole
C: NOOP
C: DELE 1
C: DELE 2
C: STAT
C: QUIT
S: +OK | +OK | +OK | +OK 0 0 | +OK Bye, 0 messages left | EOF
