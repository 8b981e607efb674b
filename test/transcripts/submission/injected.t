# RFC 3207 6: commands behind STARTTLS in one packet were put there by somebody else   clear, whole
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: STARTTLS\r\nAUTH PLAIN $PLAIN           S: 554 5.5.0 | EOF
