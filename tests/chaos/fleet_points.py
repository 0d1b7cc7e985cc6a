"""Names of the moments at which a web process can be made to die."""

BEFORE_COMMIT = "before_commit"
BEFORE_DOORBELL = "before_doorbell"
BEFORE_RESPONSE = "before_response"
