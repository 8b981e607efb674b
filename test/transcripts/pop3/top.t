# RFC 1939 7, TOP: headers and so many lines of the body; RFC 1939 3: stuffed dots      mail dots
C: TOP 1 0                  S: +OK | … | .
C: TOP 1 2                  S: +OK | … |  | ..one dot before this | line two | .
C: TOP 1                    S: -ERR
C: TOP 2 0                  S: -ERR
C: RETR 1                   S: +OK | … | ... | end | .
C: QUIT                     S: +OK | EOF
