# RFC 2920 3.1: what comes behind DATA before 354 would be run as commands if DATA were refused: we hang up        whole
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example>             S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: DATA\r\nSubject: too early\r\n\r\nbody\r\n.   S: 554 5.5.0 | EOF
