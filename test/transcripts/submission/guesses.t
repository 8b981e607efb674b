# Five wrong passwords end a connection, and so do twenty refused commands   clients 2, state new
C: AUTH PLAIN AG5vYm9keUBleGFtcGxlLnRlc3QAd3Jvbmc=   S: 535 5.7.8
C: AUTH PLAIN AG5vYm9keUBleGFtcGxlLnRlc3QAd3Jvbmc=   S: 535 5.7.8
C: AUTH PLAIN AG5vYm9keUBleGFtcGxlLnRlc3QAd3Jvbmc=   S: 535 5.7.8
C: AUTH PLAIN AG5vYm9keUBleGFtcGxlLnRlc3QAd3Jvbmc=   S: 535 5.7.8
C: AUTH PLAIN AG5vYm9keUBleGFtcGxlLnRlc3QAd3Jvbmc=   S: 535 5.7.8 | 421 4.7.0 | EOF
C2*19: RCPT TO:<a@far.example>              S2*19: 503
C2: AUTH NONSENSE                           S2: 504 5.5.4 | 421 4.7.0 | EOF
