-- "Which was the last redaction in this room?" A state that was read before it may be out of date.
CREATE INDEX redactions_of_rooms ON redactions (room_nid, number);
