"""The spine: rooms with one writer each, their events, their state by version, their members.

* `families`       the two families of logs, and who lives in which shard
* `facts`          the `events` stream: what the log carries for each event
* `numbers`        64-bit numbers for rooms, state keys and events
* `live`           the live room: what the owner keeps in memory to extend a room without reading
* `live_rooms`     loading, keeping and dropping live rooms
* `creation`       events made here: build, sign, check, accept
* `receiving`      events made elsewhere: forks, merges, soft failure
* `persist`        what one batch of events writes
* `state_history`  the state at any point
* `event_store`    stored events by id, with their client JSON
* `timeline`       events of a room by number and by place
* `memberships`    who is in which room, as readers know it
* `hosts`          which servers are in which room
* `access`         who may see what
* `ports`          what the spine asks of features and of federation

SQL is in `sql/`, a file per subject.
"""
