# RFC 5321 4.4: what came by SMTP has Return-Path, Delivered-To and Received in front, and the rest as it was                                       messages 1
C: a FETCH 1 BODY.PEEK[HEADER]
S: * 1 FETCH (BODY[HEADER] {$n}\r\nReturn-Path: <sender@example.net>\r\nDelivered-To: $ADDRESS\r\nReceived: from …\r\nFrom: Sender 1 <sender1@example.net>\r\nTo: reader@example.test\r\n…\r\n\r\n) | a OK
C: b FETCH 1 BODY.PEEK[HEADER.FIELDS (Delivered-To Message-ID)]
S: * 1 FETCH (BODY[HEADER.FIELDS (Delivered-To Message-ID)] {$m}\r\nDelivered-To: $ADDRESS\r\nMessage-ID: <letter-1@example.net>\r\n\r\n) | b OK
