# RFC 8457 3, 4, RFC 9051 2.3.2: \Important as a use; $Important and the other registered keywords keep their spelling      messages 1
C: a CREATE Soon (USE (\Important))      S: a OK
C: b LIST (SPECIAL-USE) "" "S%"          S: … | * LIST (\HasNoChildren \Important) "/" Soon | … | b OK
C: c STORE 1 FLAGS ($important $FORWARDED $junk $notjunk $phishing $mdnsent $submitted $submitpending)
S: … | * 1 FETCH (FLAGS (\Recent $Important $Forwarded $Junk $NotJunk $Phishing $MDNSent $Submitted $SubmitPending)) | … | c OK
C: d SEARCH KEYWORD $IMPORTANT           S: * SEARCH 1 | d OK
C: e SEARCH UNKEYWORD $Important         S: * SEARCH | e OK
