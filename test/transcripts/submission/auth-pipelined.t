# RFC 4954 4.2: answers of a login may come with AUTH in one packet, and commands behind them, from hasty clients   state new, whole
C: AUTH LOGIN\r\n$ADDRESS64\r\n$PASSWORD64\r\nMAIL FROM:<$ADDRESS>\r\nRSET\r\nQUIT
S: 334 | 334 | 235 | 250 | 250 | 221 | EOF
