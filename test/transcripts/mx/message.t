# RFC 5321 appendix D.1: a message, and what surrounds it
S: 220 … ESMTP Letterlock
C: HELP                                    S: 214-2.0.0 … | 214 2.0.0 …
C: NOOP                                    S: 250 2.0.0
C: EHLO client.example                     S: 250-… | 250-PIPELINING | 250-SIZE 52428800 | 250-STARTTLS | 250-8BITMIME | 250-SMTPUTF8 | 250-ENHANCEDSTATUSCODES | 250-CHUNKING | 250-BINARYMIME | 250-LIMITS RCPTMAX=100 | 250-DSN | 250-MT-PRIORITY | 250 HELP
C: MAIL FROM:<sender@client.example>       S: 250 2.1.0
C: RCPT TO:<$ADDRESS>                      S: 250 2.1.5
C: DATA                                    S: 354
C: Subject: a letter
C:
C: ..a line that begins with a dot
C: .                                       S: 250 2.0.0 Ok, stored as
C: VRFY $ADDRESS                           S: 252 2.5.2
C: QUIT                                    S: 221 2.0.0 | EOF
