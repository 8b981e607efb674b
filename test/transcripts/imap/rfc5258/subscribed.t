# RFC 5258 3.1, 5 (example 2): LIST (SUBSCRIBED), also of what does not exist     state auth
C: a CREATE Fruit/Banana               S: a OK
C: b CREATE Tofu                       S: b OK
C: c SUBSCRIBE Fruit/Banana            S: c OK
C: d SUBSCRIBE Fruit/Peach             S: d OK
C: e LIST (SUBSCRIBED) "" (Fruit/* Tofu)
S: * LIST (\HasNoChildren \Subscribed) "/" Fruit/Banana | * LIST (\NonExistent \HasNoChildren \Subscribed) "/" Fruit/Peach | e OK
C: f LIST () "" (Fruit/* Tofu) RETURN (SUBSCRIBED)
S: * LIST (\HasNoChildren \Subscribed) "/" Fruit/Banana | * LIST (\HasNoChildren) "/" Tofu | f OK
C: g LIST "" (Fruit/* Tofu)            S: * LIST (\HasNoChildren) "/" Fruit/Banana | * LIST (\HasNoChildren) "/" Tofu | g OK
C: h LIST (REMOTE SUBSCRIBED SUBSCRIBED) "" Fruit/B%
S: * LIST (\HasNoChildren \Subscribed) "/" Fruit/Banana | h OK
