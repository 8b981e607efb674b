# RFC 4865, RFC 2852: no FUTURERELEASE and no DELIVERBY here, in EHLO or as parameters: mail is in the mailbox at 250
S: 220
C: EHLO client.example
S: 250-… | 250-PIPELINING | 250-SIZE 52428800 | 250-STARTTLS | 250-8BITMIME | 250-SMTPUTF8 | 250-ENHANCEDSTATUSCODES | 250-CHUNKING | 250-BINARYMIME | 250-LIMITS RCPTMAX=100 | 250-DSN | 250-MT-PRIORITY | 250 HELP
C: MAIL FROM:<a@client.example> HOLDFOR=60  S: 555 5.5.4
C: MAIL FROM:<a@client.example> HOLDUNTIL=2030-01-01T00:00:00Z   S: 555 5.5.4
C: MAIL FROM:<a@client.example> BY=60;R     S: 555 5.5.4
C: MAIL FROM:<a@client.example> BY=-60;NT   S: 555 5.5.4
C: MAIL FROM:<a@client.example>             S: 250
C: QUIT                                     S: 221 | EOF
