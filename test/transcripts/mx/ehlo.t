# RFC 5321 4.1.1.1, 4.1.4: EHLO's list; again it clears what was; arguments
S: 220
C: EHLO                                     S: 501
C: EHLO two words                           S: 501
C: EHLO [192.0.2.1]                         S: 250-… | … | 250 HELP
C: ehlo client.example
S: 250-… | 250-PIPELINING | 250-SIZE 52428800 | 250-STARTTLS | 250-8BITMIME | 250-SMTPUTF8 | 250-ENHANCEDSTATUSCODES | 250-CHUNKING | 250-BINARYMIME | 250-LIMITS RCPTMAX=100 | 250-DSN | 250-MT-PRIORITY | 250 HELP
C: MAIL FROM:<a@client.example>             S: 250
C: HELO client.example                      S: 250
C: RCPT TO:<$ADDRESS>                       S: 503
C: EHLO not_a_host!                         S: 250-… | … | 250 HELP
C: QUIT                                     S: 221 | EOF
