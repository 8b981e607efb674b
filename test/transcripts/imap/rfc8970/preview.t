# RFC 8970: PREVIEW, PREVIEW (LAZY)
C: a APPEND INBOX {38+}\r\nSubject: x\r\n\r\nHello,\r\n\r\n  Ada  wrote\r\n   S: … | a OK
C: b APPEND INBOX {87+}\r\nSubject: x\r\nContent-Type: text/html\r\n\r\n<style>p{}</style><p>One &amp; two</p><p>three\r\n   S: … | b OK
C: c APPEND INBOX {44+}\r\nSubject: x\r\nContent-Type: image/gif\r\n\r\nGIF\r\n   S: … | c OK
C: d APPEND INBOX {127+}\r\nSubject: x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe =E2=82=AC\r\n   S: … | d OK
C: e APPEND INBOX {53+}\r\nSubject: x\r\n\r\nOn Monday, Ada wrote:\r\n> old\r\n\r\n"New"\r\n   S: … | e OK
C: g FETCH 1:3 PREVIEW           S: * 1 FETCH (PREVIEW "Hello, Ada wrote") | * 2 FETCH (PREVIEW "One & two three") | * 3 FETCH (PREVIEW "") | g OK
C: h FETCH 4:5 (FLAGS PREVIEW (LAZY) UID)   S: * 4 FETCH (FLAGS (…) PREVIEW {11}\r\nGr\xc3\xbc\xc3\x9fe \xe2\x82\xac UID 4) | * 5 FETCH (FLAGS (…) PREVIEW "\"New\"" UID 5) | h OK
C: i UID FETCH 1 (PREVIEW BODY.PEEK[TEXT]<0.5> PREVIEW)   S: * 1 FETCH (UID 1 PREVIEW "Hello, Ada wrote" BODY[TEXT]<0> {5}\r\nHello…) | i OK
C: j FETCH 1 (FLAGS PREVIEW (EAGER))       S: j BAD
C: k FETCH 1 FLAGS               S: * 1 FETCH (FLAGS (\Recent)) | k OK
