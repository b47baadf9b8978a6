"""The kinds of anomaly: a closed vocabulary that training and serving share."""

KINDS = UNUSUAL, FRAUD, VIP, AT_RISK = ("unusual", "possible fraud", "vip", "at risk")
